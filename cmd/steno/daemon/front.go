package daemon

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// serveDoors gives a request of an engine's to the pipeline of the org whose
// token it shows. What it says of an org is that pipeline's to check.
func (d *Daemon) serveDoors(w http.ResponseWriter, r *http.Request) {
	m, found := d.roster.pick(r)
	if found && d.membership != nil {
		d.membership.serveDoors(w, r, m)
		return
	}
	if found {
		if p := d.pipelines.find(m.SFOrg); p != nil {
			p.handler.ServeHTTP(w, r)
			return
		}
	}
	// It is being replaced, or could not be started.
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, `{"error":{"code":"overloaded","message":"nothing is taken for this org now: come again"}}`)
}

// working are the pipelines in the order of the roster; those that are leaving
// come last.
func (d *Daemon) working() []*worker {
	members, all := d.roster.all(), slices.Clone(d.pipelines.all())
	place := func(w *worker) int {
		i := slices.IndexFunc(members, func(m member) bool { return m.SFOrg == w.settings.SFOrg })
		if i < 0 {
			return len(members)
		}
		return i
	}
	slices.SortStableFunc(all, func(a, b *worker) int { return place(a) - place(b) })
	return all
}

// pipelineOf is the pipeline of an org; of none, the default one's. Where there
// is but one, it is that. In a cluster it is that of a partition, named as in
// acme/0; of none, the first.
func (d *Daemon) pipelineOf(org string) *worker {
	if d.membership != nil {
		if all := d.working(); org == "" && len(all) > 0 {
			return all[0]
		}
		return d.pipelines.find(org)
	}
	if !d.settings.Several() {
		org = d.settings.SFOrg
	}
	m, known := d.roster.named(org)
	if !known {
		return nil
	}
	return d.pipelines.find(m.SFOrg)
}

// accountLine is the account, a line for each org.
func (d *Daemon) accountLine() string {
	var lines []string
	for _, w := range d.working() {
		line := accountLine(w.spool.Account())
		if w.name != "" {
			line = w.name + ": " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
