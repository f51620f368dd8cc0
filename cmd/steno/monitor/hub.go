package monitor

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Hub sends what is going on to everybody who looks at the page.
//
//	H1  a snapshot is made once a second for all viewers together, and none while
//	    there is no viewer; the hour comes when a viewer does, and every ten
//	    seconds
//	H2  a viewer who is slow to read misses snapshots, and holds up nobody
//	H3  there are at most maxViewers
type Hub struct {
	// Now and Hour render what is sent, as JSON on one line. Only one of them is
	// called at a time.
	Now, Hour func(context.Context) []byte

	mu      sync.Mutex
	viewers map[chan event]struct{}
	arrived chan struct{} // size 1: somebody looks
	over    chan struct{} // closed at the end of Run
}

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
func NewHub(now, hour func(context.Context) []byte) *Hub {
	return &Hub{Now: now, Hour: hour, viewers: map[chan event]struct{}{}, arrived: make(chan struct{}, 1), over: make(chan struct{})}
}

// Run sends until ctx is done, and then ends every stream.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.over)
	for n := 0; ; n++ {
		if h.alone() {
			n = 0
			select {
			case <-h.arrived:
			case <-ctx.Done():
				return nil
			}
		}
		h.send(event{"now", h.Now(ctx)})
		if n%int(hourSlot/tick) == 0 {
			h.send(event{"hour", h.Hour(ctx)})
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

func (h *Hub) alone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.viewers) == 0
}

// send gives an event to every viewer who has room for it (H2).
func (h *Hub) send(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for v := range h.viewers {
		select {
		case v <- e:
		default:
		}
	}
}

// enter adds a viewer; false where there are too many.
func (h *Hub) enter() (viewer chan event, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) >= maxViewers {
		return nil, false
	}
	viewer = make(chan event, 4)
	h.viewers[viewer] = struct{}{}
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

// ServeHTTP is a stream of server-sent events for one viewer.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	viewer, ok := h.enter()
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
