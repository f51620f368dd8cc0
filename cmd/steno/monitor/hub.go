package monitor

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Hub sends what is going on to everybody who looks at the page, which shows
// one org.
//
//	H1  a snapshot is made once a second for all viewers of an org together, and
//	    none of an org that has no viewer; the hour comes when a viewer does, and
//	    every ten seconds
//	H2  a viewer who is slow to read misses snapshots, and holds up nobody
//	H3  there are at most maxViewers
type Hub struct {
	// Now and Hour render what is sent of an org, as JSON on one line. Only one of
	// them is called at a time.
	Now, Hour Render

	mu      sync.Mutex
	viewers map[chan event]string // and the org that each looks at, as he named it
	arrived chan struct{}         // size 1: somebody looks
	over    chan struct{}         // closed at the end of Run
}

// Render shows an org; an empty name stands for the one that is meant then.
type Render func(ctx context.Context, org string) []byte

// event is one of the stream's.
type event struct {
	name string // now or hour
	data []byte
}

const (
	tick       = time.Second
	maxViewers = 100
	// writeWait is how long a viewer may take to read an event.
	writeWait = 10 * time.Second
)

// NewHub returns a hub that waits for Run.
func NewHub(now, hour Render) *Hub {
	return &Hub{Now: now, Hour: hour, viewers: map[chan event]string{}, arrived: make(chan struct{}, 1), over: make(chan struct{})}
}

// Run sends until ctx is done, and then ends every stream.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.over)
	for n := 0; ; n++ {
		orgs := h.looked()
		if len(orgs) == 0 {
			n = 0
			select {
			case <-h.arrived:
			case <-ctx.Done():
				return nil
			}
			orgs = h.looked()
		}
		for org := range orgs {
			h.send(org, event{"now", h.Now(ctx, org)})
			if n%int(hourSlot/tick) == 0 {
				h.send(org, event{"hour", h.Hour(ctx, org)})
			}
		}
		timer := time.NewTimer(tick)
		select {
		case <-timer.C:
		case <-h.arrived: // nobody looks at an empty page for a second
			timer.Stop()
			n = -1
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// looked are the orgs that somebody looks at.
func (h *Hub) looked() map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	orgs := map[string]bool{}
	for _, org := range h.viewers {
		orgs[org] = true
	}
	return orgs
}

// send gives an event to every viewer of the org who has room for it (H2).
func (h *Hub) send(org string, e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for v, looksAt := range h.viewers {
		if looksAt != org {
			continue
		}
		select {
		case v <- e:
		default:
		}
	}
}

// enter adds a viewer of an org; false where there are too many.
func (h *Hub) enter(org string) (viewer chan event, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) >= maxViewers {
		return nil, false
	}
	viewer = make(chan event, 4)
	h.viewers[viewer] = org
	select {
	case h.arrived <- struct{}{}:
	default:
	}
	return viewer, true
}

func (h *Hub) leave(viewer chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, viewer)
}

// ServeHTTP is a stream of server-sent events for one viewer, of ?org=.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	viewer, ok := h.enter(r.URL.Query().Get("org"))
	if !ok {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many viewers", http.StatusServiceUnavailable)
		return
	}
	defer h.leave(viewer)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that keeps events back shows nothing live
	out := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil { // ms, after which a browser asks again when a daemon has gone
		return
	}
	for {
		select {
		case e := <-viewer:
			_ = out.SetWriteDeadline(time.Now().Add(writeWait)) // where it cannot be set, the network's own holds
			if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.name, e.data); err != nil {
				return
			}
			if out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-h.over:
			return
		}
	}
}
