package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Org is one of the orgs that a daemon works for.
type Org struct {
	Settings      // its own; what is the daemon's is the same in all
	Default  bool // it is meant where nobody names one
}

// AllOrgs are the orgs of the orgs file, in its order, or the one of the
// environment.
func (s *Settings) AllOrgs() []Org {
	if !s.Several() {
		return []Org{{Settings: *s, Default: true}}
	}
	return s.orgs
}

// OrgNamed is the org of that name, or of none the default one.
func (s *Settings) OrgNamed(name string) (Org, error) {
	var names []string
	for _, o := range s.AllOrgs() {
		if o.SFOrg == name || name == "" && o.Default {
			return o, nil
		}
		names = append(names, o.SFOrg)
	}
	return Org{}, fmt.Errorf("%w: there is no org %q: there are %q", ErrSettings, name, names)
}

// Several says that the orgs come from a file. It may hold only one today.
func (s *Settings) Several() bool { return s.OrgsFile != "" }

// readOrgs reads the orgs file anew. What an org leaves out is as in s. The
// faults are all that there are, each with its org and its field.
func (s *Settings) readOrgs() ([]Org, []error) {
	r := orgsReader{base: *s}
	r.base.orgs = nil
	top, err := readYAML(s.OrgsFile)
	if err != nil {
		return nil, []error{fmt.Errorf("%sORGS_FILE: %w", Prefix, err)}
	}
	var orgs []Org
	for i, n := range r.list(top) {
		orgs = append(orgs, r.org(i, n))
	}
	r.together(orgs)
	if s.SFOrg != "" {
		r.fault(Prefix+"SF_ORG", "is set beside %sORGS_FILE, which names the orgs", Prefix)
	}
	return orgs, r.faults
}

// readYAML reads a file that holds one document. JSON is YAML too.
func readYAML(path string) (*yaml.Node, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	var top, more yaml.Node
	if err := decoder.Decode(&top); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: must have a list of orgs")
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file has more than one document, or does not end where it should")
	}
	return top.Content[0], nil
}

// orgsReader reads an orgs file and gathers its faults.
type orgsReader struct {
	base   Settings // what an org leaves out
	faults []error
}

// fault notes a fault of an org, or of the whole file.
func (r *orgsReader) fault(of, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s", of, fmt.Sprintf(format, args...)))
}

const wholeFile = "orgs file"

// list reads the top of the file: a list under orgs.
func (r *orgsReader) list(top *yaml.Node) []*yaml.Node {
	var orgs *yaml.Node
	for _, f := range r.fields(wholeFile, "", top) {
		if f.name == "orgs" {
			orgs = f.value
		} else {
			r.fault(wholeFile, "%s is no field: there is orgs", f.name)
		}
	}
	if orgs == nil || orgs.Kind != yaml.SequenceNode || len(orgs.Content) == 0 {
		r.fault(wholeFile, "orgs must be a list with at least one org in it")
		return nil
	}
	return orgs.Content
}

// field is a field and its value.
type field struct {
	name  string // with those that it is within, as in batch.max_wait
	value *yaml.Node
}

// fields are those of a mapping, each once.
func (r *orgsReader) fields(of, within string, n *yaml.Node) (all []field) {
	if n = meant(n); n.Kind != yaml.MappingNode {
		r.fault(of, "%s must be fields with values, is %s", strings.TrimSuffix(within, "."), kindOf(n))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := within + n.Content[i].Value
		if seen[name] {
			r.fault(of, "%s stands twice", name)
			continue
		}
		seen[name] = true
		all = append(all, field{name, meant(n.Content[i+1])})
	}
	return all
}

// meant is what an alias stands for.
func meant(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "fields with values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return "a value"
}

// together finds what is wrong between the orgs.
func (r *orgsReader) together(orgs []Org) {
	named, owner := map[string]string{}, map[string]string{}
	var byDefault []string
	for _, o := range orgs {
		of := fmt.Sprintf("org %q", o.SFOrg)
		folded := strings.ToLower(o.SFOrg) // a directory of that name must be its own everywhere
		if other, taken := named[folded]; taken && folded != "" {
			r.fault(of, "name is that of org %q", other)
		}
		named[folded] = o.SFOrg
		for i, token := range o.IngestTokens {
			if other, taken := owner[token]; taken {
				r.fault(of, "tokens: the one in place %d stands in org %q too: a token opens one org", i+1, other)
			}
			owner[token] = o.SFOrg
		}
		if o.Default {
			byDefault = append(byDefault, o.SFOrg)
		}
		if len(o.IngestTokens) == 0 && len(orgs) > 1 && !o.Default {
			r.fault(of, "tokens are missing: without one nobody can speak to an org that is not the default")
		}
	}
	if len(byDefault) > 1 {
		r.fault(wholeFile, "default is true in %q: there can be one", byDefault)
	}
	if len(byDefault) == 0 && len(orgs) > 0 {
		orgs[0].Default = true
	}
}

// Warnings are what is allowed in the settings and may cost somebody.
func (s *Settings) Warnings() []string { return s.warnings(s.AllOrgs()) }

func (s *Settings) warnings(orgs []Org) (all []string) {
	for _, dir := range s.unclaimed(orgs) {
		all = append(all, fmt.Sprintf("%s holds the spool of no org that there is: what waits in it is not sent", dir))
	}
	type app struct{ loginURL, clientID string }
	owner := map[app]string{}
	for _, o := range orgs {
		if s.Clustered() && o.ClusterPartitions > o.SFMaxInFlight {
			all = append(all, fmt.Sprintf("org %q has %d partitions and may have %d requests in flight: each partition has one, so that there may be %d", o.SFOrg, o.ClusterPartitions, o.SFMaxInFlight, o.ClusterPartitions))
		}
		a := app{strings.TrimSuffix(strings.ToLower(o.SFLoginURL), "/"), o.SFClientID}
		if other, taken := owner[a]; taken {
			all = append(all, fmt.Sprintf("org %q and org %q have the same login_url and client_id: each counts the other's API requests as somebody else's", other, o.SFOrg))
		}
		owner[a] = o.SFOrg
	}
	return all
}
