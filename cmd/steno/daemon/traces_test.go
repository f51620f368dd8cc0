package daemon

import (
	"fmt"
	"testing"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
	"example.com/steno/ingest/client"
)

const traceA, traceB = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"

// TestTraceGoesOutWithTheRequest: what a client says in `open` is a header of
// the requests with its utterances, and of no others; nonsense is not.
func TestTraceGoesOutWithTheRequest(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{traceA, traceA}, {"", ""}, {"nonsense\r\nX-Evil: 1", ""}, {"00-00000000000000000000000000000000-b7ad6b7169203331-01", ""}, {traceA[:54], ""},
	} {
		bubble(t, usual, func(t *testing.T, r *rig) {
			e, stop := r.engine()
			defer stop()
			s, err := e.Open(client.Open{
				Stream: "a", VendorCallKey: "a", Traceparent: c.given, StartTime: time.Now().UnixMilli(),
				Channels: map[string]client.Channel{"0": {SenderType: "END_USER"}, "1": {SenderType: "HUMAN_AGENT", ParticipantID: "005xx000001Sv6AAAS"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			r.say(s, "a", 1)
			time.Sleep(time.Second)
			r.wire.mu.Lock()
			defer r.wire.mu.Unlock()
			if got := fmt.Sprintf("%q", r.wire.traces); got != fmt.Sprintf("%q", []string{c.want}) {
				t.Errorf("open with %q: the requests have the traceparents %s, want %q", c.given, got, c.want)
			}
		})
	}
}

func TestTraces(t *testing.T) {
	var all traces
	now := time.Now()
	id := func(n string) spool.StreamID { return spool.StreamID{Call: n, ID: n} }
	request := func(streams ...string) (r batcher.Request) {
		for _, s := range streams {
			r.Entries = append(r.Entries, batcher.Entry{Call: s, Utterances: []*batcher.Utterance{{Record: &spool.Record{Stream: id(s)}}}})
		}
		return r
	}
	f := func(want string, streams ...string) {
		t.Helper()
		if got := all.parent(request(streams...)); got != want {
			t.Errorf("a request of %v has the trace %q, want %q", streams, got, want)
		}
	}
	f("", "a")
	all.opened(ingest.Opened{Stream: id("a"), Trace: traceA})
	all.opened(ingest.Opened{Stream: id("b"), Trace: traceB})
	all.opened(ingest.Opened{Stream: id("c")})
	f(traceA, "a", "b")
	f(traceB, "b", "a")
	f(traceB, "c", "b") // the first that has one
	all.released(id("a"), now)
	f(traceA, "a") // what was said may yet wait
	all.opened(ingest.Opened{Stream: id("b")})
	f("", "b") // the engine has changed its mind
	all.released(id("c"), now.Add(traceAge))
	f("", "a")
}
