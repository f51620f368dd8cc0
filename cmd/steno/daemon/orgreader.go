package daemon

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// orgReader reads one org of an orgs file. Its fields are the settings that
// have an org tag, a secret also as name_file, and default.
type orgReader struct {
	*orgsReader
	Org
	called string          // in faults
	set    map[string]bool // the fields that the org has of its own
}

// orgName is what an org may be called: its name becomes a directory and a
// metrics label.
var orgName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// org reads the i-th org.
func (r *orgsReader) org(i int, n *yaml.Node) Org {
	o := &orgReader{orgsReader: r, Org: Org{Settings: r.base}, called: fmt.Sprintf("orgs[%d]", i), set: map[string]bool{}}
	o.SFOrg = ""
	fields := r.fields(o.called, "", n)
	if at := slices.IndexFunc(fields, func(f field) bool { return f.name == "name" }); at >= 0 {
		o.called = fmt.Sprintf("org %q", fields[at].value.Value)
	}
	o.read(fields)
	o.check()
	if o.SpoolDir != InMemory {
		o.SpoolDir = filepath.Join(r.base.SpoolDir, o.SFOrg)
	}
	return o.Org
}

// read takes the values of fields.
func (o *orgReader) read(fields []field) {
	settings := AllSettings()
	for _, f := range fields {
		if f.name == "default" {
			if err := setField(reflect.ValueOf(&o.Default).Elem(), f.value); err != nil {
				o.fault(o.called, "default %v", err)
			}
			continue
		}
		base, fromFile := strings.CutSuffix(f.name, "_file")
		at := slices.IndexFunc(settings, func(s Setting) bool {
			return s.OrgField != "" && (s.OrgField == f.name || fromFile && s.Secret && s.OrgField == base)
		})
		switch {
		case at >= 0:
			o.readOne(f, settings[at])
		case slices.ContainsFunc(settings, func(s Setting) bool { return strings.HasPrefix(s.OrgField, f.name+".") }):
			o.read(o.fields(o.called, f.name+".", f.value))
		default:
			o.fault(o.called, "%s is no field of an org", f.name)
		}
	}
}

// readOne takes the value of a setting, or of the file that holds it.
func (o *orgReader) readOne(f field, s Setting) {
	if o.set[s.OrgField] {
		o.fault(o.called, "%s and %s_file are both set: which one counts?", s.OrgField, s.OrgField)
		return
	}
	o.set[s.OrgField] = true
	value := f.value
	if f.name != s.OrgField {
		content, err := readSecret(value.Value)
		if err != nil {
			o.fault(o.called, "%s: %v", f.name, err)
			return
		}
		value = scalar(content)
		if s.List {
			value = &yaml.Node{Kind: yaml.SequenceNode}
			for part := range strings.SplitSeq(content, ",") {
				value.Content = append(value.Content, scalar(part))
			}
		}
	}
	err := setField(reflect.ValueOf(&o.Settings).Elem().FieldByIndex(s.index), value)
	switch {
	case err != nil && s.Secret && s.List: // it is never shown
		err = errors.New("must be a list of texts")
	case err != nil && s.Secret:
		err = errors.New("must be a text")
	}
	if err != nil {
		o.fault(o.called, "%s %v", f.name, err)
	}
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// check finds the org's own values that make no sense, and what it lacks.
func (o *orgReader) check() {
	for _, s := range AllSettings() {
		value := reflect.ValueOf(o.Settings).FieldByIndex(s.index)
		missing := s.OrgField != "" && (value.IsZero() || s.List && value.Len() == 0)
		switch {
		case missing && o.set[s.OrgField] && (s.Required || s.Secret): // an open door by accident
			o.fault(o.called, "%s is empty", s.OrgField)
		case missing && s.OrgField == "name":
			o.fault(o.called, "name is missing")
		case missing && s.Required:
			o.fault(o.called, "%s is missing, and so is %s", s.OrgField, s.Name)
		}
	}
	if o.SFOrg != "" && !orgName.MatchString(o.SFOrg) {
		o.fault(o.called, "name must be 1 to 32 of A-Z, a-z, 0-9, - and _")
	}
	for _, f := range o.Settings.check() {
		if s := f.of(); o.set[s.OrgField] && s.OrgField != "" {
			o.fault(o.called, "%s %s", s.OrgField, f.text)
		}
	}
}

// setField sets a setting to what a node says.
func setField(to reflect.Value, n *yaml.Node) error {
	if _, isList := to.Interface().([]string); isList {
		if n.Kind != yaml.SequenceNode {
			return fmt.Errorf("must be a list of texts, is %s", kindOf(n))
		}
		texts := make([]string, len(n.Content))
		for i, each := range n.Content {
			if err := setField(reflect.ValueOf(&texts[i]).Elem(), meant(each)); err != nil {
				return fmt.Errorf("in place %d %w", i+1, err)
			}
		}
		to.Set(reflect.ValueOf(texts))
		return nil
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return fmt.Errorf("must be a value, is %s", kindOf(n))
	}
	var v any
	var err error
	var want string
	switch to.Interface().(type) {
	case string:
		v = n.Value
	case bool:
		v, err = strconv.ParseBool(n.Value)
		want = "true or false"
	case int:
		v, err = strconv.Atoi(n.Value)
		want = "a whole number"
	case int64:
		v, err = strconv.ParseInt(n.Value, 10, 64)
		want = "a whole number"
	case float64:
		v, err = strconv.ParseFloat(n.Value, 64)
		want = "a number"
	case time.Duration:
		v, err = time.ParseDuration(n.Value)
		want = "a duration such as 200ms"
	default:
		panic("BUG: an org's setting is a " + to.Type().String())
	}
	if err != nil {
		return fmt.Errorf("is %q: must be %s", n.Value, want)
	}
	to.Set(reflect.ValueOf(v))
	return nil
}
