package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/cmd/steno/deadletters"
	"example.com/steno/cmd/steno/monitor"
)

// adminHandler serves the monitor page, health, metrics, dead letters and profiles.
func (d *Daemon) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", d.serveReady)
	mux.HandleFunc("GET /status.json", d.serveStatus)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		d.writeMetrics(w)
		metrics.WriteProcessMetrics(w)
	})
	page := monitor.Handler(d.monitorOf, d.hub, d.ownPage)
	mux.Handle("/{$}", page)
	mux.Handle("/monitor/", page)
	letters := deadletters.Handler(d.letters(), d.adminName())
	mux.Handle("/deadletters", letters)
	mux.Handle("/deadletters/", letters)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// adminName is what the machine is called in STENO_ADMIN_LISTEN; empty: nothing.
func (d *Daemon) adminName() string {
	name, _, err := net.SplitHostPort(d.settings.AdminListen)
	if err != nil {
		return ""
	}
	return name
}

// readyTimeout bounds the look at Salesforce for one /readyz.
const readyTimeout = 5 * time.Second

// serveReady answers 200 when engines are well advised to connect, else 503;
// and why. Of several orgs one is enough: the trouble of an org is not that of
// its neighbours, and a balancer that takes the daemon away would make it so.
func (d *Daemon) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	ready, reasons := d.readiness(ctx)
	answer := map[string]any{"ready": ready}
	if len(reasons) > 0 {
		answer["reasons"] = reasons
	}
	w.Header().Set("Content-Type", "application/json")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		d.log.Debug("readiness not told", "cause", err)
	}
}

// readiness says whether any org is ready, and every reason why one is not. It
// asks all at once: one whose login hangs takes no time of the others.
func (d *Daemon) readiness(ctx context.Context) (ready bool, reasons []reason) {
	if d.membership != nil {
		return d.membership.readiness(ctx)
	}
	members := d.roster.all()
	each := make([][]reason, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		asking.Go(func() { each[i] = d.unready(ctx, m) })
	}
	asking.Wait()
	for _, of := range each {
		ready = ready || len(of) == 0
		reasons = append(reasons, of...)
	}
	return ready, reasons
}

// unready returns every reason why an org is not ready.
func (d *Daemon) unready(ctx context.Context, m member) (reasons []reason) {
	w := d.pipelines.find(m.SFOrg)
	switch err := d.failed(m); {
	case err != nil:
		reasons = []reason{{Code: "failed", Message: err.Error()}}
	case w == nil:
		reasons = []reason{{Code: "draining", Message: "the org is being replaced"}}
	default:
		reasons = w.unready(ctx)
	}
	if d.settings.Several() {
		for i := range reasons {
			reasons[i].Org = m.SFOrg
		}
	}
	return reasons
}

// writeReadiness writes the reasons of the moment. A login under way is waited
// for no longer than a scrape can.
func (p *pipeline) writeReadiness(w io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	writeReadiness(w, p.unready(ctx))
}

// reason is why the daemon is not ready, in a word for programs and in words
// for people.
type reason struct {
	Org     string `json:"org,omitempty"` // where there are several
	Code    string `json:"code"`
	Message string `json:"message"`
}

// unready returns every reason not to be ready.
func (p *pipeline) unready(ctx context.Context) []reason {
	var reasons []reason
	if p.draining.Load() {
		reasons = append(reasons, reason{Code: "draining", Message: "the daemon is shutting down"})
	}
	if err := p.client.Token(ctx); err != nil {
		reasons = append(reasons, reason{Code: "salesforce_token", Message: err.Error()})
	}
	if p.batcher.Trouble() == batcher.Barred {
		reasons = append(reasons, reason{Code: "salesforce_barred", Message: "Salesforce refuses every request until its configuration or ours is mended; see the log"})
	}
	if err := p.spool.Health(); err != nil {
		reasons = append(reasons, reason{Code: "spool", Message: err.Error()})
	}
	return reasons
}
