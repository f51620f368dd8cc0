package daemon

import (
	"maps"
	"sync"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
)

// traces are the trace contexts that engines gave with their streams, for the
// requests that carry what they said. They are not kept on the disk: after a
// restart a stream has its trace again when its engine opens it again.
type traces struct {
	mu    sync.Mutex // guards what follows
	of    map[spool.StreamID]trace
	swept time.Time
}

// trace is one stream's.
type trace struct {
	parent   string
	released time.Time // since when nobody speaks on the stream; zero: somebody does
}

const (
	// traceAge is how long after a stream its utterances may still be sent under
	// its trace.
	traceAge  = 10 * time.Minute
	maxTraces = 100_000
)

// opened remembers the trace of a stream that has one.
func (t *traces) opened(o ingest.Opened) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.of[o.Stream]
	if o.Trace == "" {
		delete(t.of, o.Stream)
		return
	}
	if !known && len(t.of) >= maxTraces {
		return
	}
	if t.of == nil {
		t.of = map[spool.StreamID]trace{}
	}
	t.of[o.Stream] = trace{parent: o.Trace}
}

// released begins the end of a trace, and drops those whose end is over.
func (t *traces) released(id spool.StreamID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr, known := t.of[id]; known {
		tr.released = now
		t.of[id] = tr
	}
	if now.Sub(t.swept) >= time.Minute {
		t.swept = now
		maps.DeleteFunc(t.of, func(_ spool.StreamID, tr trace) bool {
			return !tr.released.IsZero() && now.Sub(tr.released) >= traceAge
		})
	}
}

// parent is the traceparent for a request. A header has room for one, and a
// request may carry utterances of five calls: it is that of the first utterance
// in the request whose stream has one.
func (t *traces) parent(r batcher.Request) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) == 0 {
		return ""
	}
	for _, e := range r.Entries {
		for _, u := range e.Utterances {
			if tr, known := t.of[u.Stream]; known {
				return tr.parent
			}
		}
	}
	return ""
}
