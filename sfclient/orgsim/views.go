package orgsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// newViews serves what is about the simulation itself, to loopback clients
// alone: it shows transcripts and can take the org down.
func (o *Org) newViews() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orgsim/ledger", o.viewLedger)
	mux.HandleFunc("GET /orgsim/feed", o.viewFeed)
	mux.HandleFunc("POST /orgsim/plan", o.viewPlan)
	mux.HandleFunc("POST /orgsim/down", o.viewDown)
	mux.HandleFunc("POST /orgsim/up", func(w http.ResponseWriter, _ *http.Request) {
		o.Up()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /orgsim/expire-tokens", func(w http.ResponseWriter, _ *http.Request) {
		o.ExpireTokens()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /orgsim/calls/{key}/{action}", o.viewCall)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "for loopback clients only", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (o *Org) viewLedger(w http.ResponseWriter, r *http.Request) {
	led := Ledger{}
	if r.URL.Query().Get("calls") == "false" {
		led = o.totalsOnly()
	} else {
		led = o.Ledger()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(led) // a client that has gone hears nothing
}

// viewFeed sends every message as a server-sent event, from now on. A comment
// opens the stream and comes whenever nothing else has for a while.
func (o *Org) viewFeed(w http.ResponseWriter, r *http.Request) {
	events, stop := o.Watch(4096)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	quiet := time.NewTicker(feedPatience)
	defer quiet.Stop()
	_, err := io.WriteString(w, ": listening\n\n")
	for err == nil {
		if err = out.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-quiet.C:
			_, err = io.WriteString(w, ": quiet\n\n")
		case shown := <-events:
			var data []byte
			if data, err = json.Marshal(shown); err == nil {
				_, err = fmt.Fprintf(w, "data: %s\n\n", data)
			}
		}
	}
}

func (o *Org) viewPlan(w http.ResponseWriter, r *http.Request) {
	endpoint := Endpoint(r.URL.Query().Get("endpoint"))
	if endpoint != AnyEndpoint && !slices.Contains(Endpoints(), endpoint) {
		http.Error(w, fmt.Sprintf("endpoint %q: want one of %v", endpoint, Endpoints()), http.StatusBadRequest)
		return
	}
	plan, err := ParsePlan(smallBody(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.PlanFor(endpoint, plan...)
	w.WriteHeader(http.StatusNoContent)
}

func (o *Org) viewDown(w http.ResponseWriter, r *http.Request) {
	how, err := ParseOutage(smallBody(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.Down(how)
	w.WriteHeader(http.StatusNoContent)
}

func (o *Org) viewCall(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	switch r.PathValue("action") {
	case "create":
		o.CreateCall(key, time.Time{})
	case "hold":
		o.Hold(key, true)
	case "unhold":
		o.Hold(key, false)
	case "pause":
		o.Pause(key, true)
	case "resume":
		o.Pause(key, false)
	case "end":
		o.End(key)
	default:
		http.Error(w, "want create, hold, unhold, pause, resume or end", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func smallBody(r *http.Request) string {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return "" // the client has gone
	}
	return string(body)
}
