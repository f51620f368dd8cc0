package monitor

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
)

// switchboard is a monitor and one connection.
type switchboard struct {
	*Monitor
	t *testing.T
}

func newSwitchboard(t *testing.T) *switchboard {
	m := New(Config{Metrics: metrics.NewSet(), Company: func() time.Duration { return 0 }})
	m.connected(ingest.Connection{ID: 1, Dialect: "vosk"})
	return &switchboard{m, t}
}

func leg(call string) spool.StreamID { return spool.StreamID{Call: call, ID: "leg"} }

func (b *switchboard) take(stream, call string) {
	b.opened(ingest.Opened{Connection: 1, Stream: leg(stream), Call: call})
}

// want says how many streams the connection has, and whether each of these
// calls is kept with one of them.
func (b *switchboard) want(when string, streams int, calls map[string]bool) {
	b.t.Helper()
	if got := b.links[1].streams; got != streams || len(b.open) != streams {
		b.t.Errorf("%s: the connection has %d streams, %d are open, want %d", when, got, len(b.open), streams)
	}
	for key, open := range calls {
		if c := b.calls[callKey{key: key}]; c == nil || c.streams > 0 != open {
			b.t.Errorf("%s: call %s is %+v, want a stream to be open: %v", when, key, c, open)
		}
	}
}

// A stream is in one call, which may be named unlike the stream, and another
// one after it was opened anew.
func TestStreamThatGoesToAnotherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSwitchboard(t)
		b.take("second", "second")
		b.take("second", "second")
		b.want("opened twice", 1, map[string]bool{"second": true})
		b.take("second", "first") // it has a parent after all
		b.want("transferred", 1, map[string]bool{"first": true, "second": false})
		b.take("other", "first")
		b.released(leg("second"), true)
		b.want("one of two is released", 1, map[string]bool{"first": true, "second": false})
		b.released(leg("other"), true)
		b.released(leg("other"), true)
		b.want("all are released", 0, map[string]bool{"first": false, "second": false})
	})
}

// Another connection takes a stream over: it is that one's from then on.
func TestStreamThatGoesToAnotherConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSwitchboard(t)
		b.connected(ingest.Connection{ID: 2, Dialect: "deepgram"})
		b.opened(ingest.Opened{Connection: 2, Stream: leg("a"), Call: "a"})
		b.take("a", "a")
		b.want("taken over", 1, map[string]bool{"a": true})
		if n := b.links[2].streams; n != 0 {
			t.Errorf("the connection that has lost it has %d streams, want 0", n)
		}
		u := &batcher.Utterance{Record: &spool.Record{Call: "a", Stream: leg("a"), Received: time.Now()}}
		b.Taken([]*batcher.Utterance{u})
		if j := journeyOf(u); j.dialect != "vosk" {
			t.Errorf("its utterances are counted as %s's, want as vosk's", j.dialect)
		}
	})
}

// L3, L4: where there are as many calls as may be, a further one's utterances
// are followed, and those that have ended make room.
func TestAsManyCallsAsMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSwitchboard(t)
		name := func(i int) string { return fmt.Sprint("call-", i) }
		for i := range maxCalls {
			b.take(name(i), name(i))
		}
		b.take("further", "further")
		u := &batcher.Utterance{Record: &spool.Record{Call: "further", Stream: leg("further"), Received: time.Now()}}
		b.Taken([]*batcher.Utterance{u})
		if j := journeyOf(u); j == nil || j.dialect != "vosk" || j.call != b.open[leg("further")].call {
			t.Errorf("L3: the journey of a further call's utterance is %+v, want one on its stream", j)
		}
		if c := b.calls[callKey{key: "further"}]; c != nil || len(b.calls) != maxCalls {
			t.Errorf("L3: %d calls are kept, the further one as %+v, want %d without it", len(b.calls), c, maxCalls)
		}
		b.released(leg("further"), true)
		for i := range maxCalls - 1 {
			b.released(leg(name(i)), true)
		}
		time.Sleep(10 * time.Second)
		b.take("next", "next")
		b.want("L4: all but one have ended", 2, map[string]bool{name(maxCalls - 1): true, "next": true})
		if len(b.calls) != 2 {
			t.Errorf("L4: %d calls are kept, want 2", len(b.calls))
		}
	})
}
