package daemon

import (
	"net/http"
	"strings"
)

// serveDoors gives a request of an engine's to the pipeline that it is for.
func (d *Daemon) serveDoors(w http.ResponseWriter, r *http.Request) {
	all := d.pipelines.all()
	if len(all) == 0 { // it is being replaced
		w.Header().Set("Retry-After", "1")
		http.Error(w, "nothing is taken now: come again", http.StatusServiceUnavailable)
		return
	}
	all[0].handler.ServeHTTP(w, r)
}

// only is the pipeline of a daemon that has one.
func (d *Daemon) only() *pipeline { return d.pipelines.all()[0].pipeline }

// accountLine is the account of every org, a line each.
func (d *Daemon) accountLine() string {
	var lines []string
	for _, w := range d.pipelines.all() {
		lines = append(lines, accountLine(w.spool.Account()))
	}
	return strings.Join(lines, "\n")
}
