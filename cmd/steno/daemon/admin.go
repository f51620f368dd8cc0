package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
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
		d.only().set.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
	page := monitor.Handler(d.only().monitor, d.hub, d.ownPage)
	mux.Handle("/{$}", page)
	mux.Handle("/monitor/", page)
	letters := deadletters.Handler(d.only().letters, d.adminName())
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

// serveReady answers 200 when engines are well advised to connect, else 503
// and why.
func (d *Daemon) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	status, answer := http.StatusOK, map[string]any{"ready": true}
	if reasons := d.only().unready(ctx); len(reasons) > 0 {
		status, answer = http.StatusServiceUnavailable, map[string]any{"ready": false, "reasons": reasons}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		d.log.Debug("readiness not told", "cause", err)
	}
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
	Code    string `json:"code"`
	Message string `json:"message"`
}

// unready returns every reason not to be ready.
func (p *pipeline) unready(ctx context.Context) []reason {
	var reasons []reason
	if p.draining.Load() {
		reasons = append(reasons, reason{"draining", "the daemon is shutting down"})
	}
	if err := p.client.Token(ctx); err != nil {
		reasons = append(reasons, reason{"salesforce_token", err.Error()})
	}
	if p.batcher.Trouble() == batcher.Barred {
		reasons = append(reasons, reason{"salesforce_barred", "Salesforce refuses every request until its configuration or ours is mended; see the log"})
	}
	if err := p.spool.Health(); err != nil {
		reasons = append(reasons, reason{"spool", err.Error()})
	}
	return reasons
}
