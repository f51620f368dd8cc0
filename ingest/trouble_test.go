package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
	"example.com/steno/ingest/dialect"
	"pgregory.net/rapid"
)

// flakySpool fails the appends that it is told to, and takes its time.
type flakySpool struct {
	*spool.Memory
	fail atomic.Int32 // how many of the next appends fail
}

func (s *flakySpool) Append(ctx context.Context, group []*spool.Record) error {
	time.Sleep(5 * time.Millisecond)
	if s.fail.Load() > 0 {
		s.fail.Add(-1)
		return errDisk
	}
	return s.Memory.Append(ctx, group)
}

// engine is a client as the protocol wants it: it holds what is not
// acknowledged, and resends it after a reconnect or a gap.
type engine struct {
	r       *rig
	c       *client
	sent    int // utterances of the call that were spoken so far
	next    int // the seq that goes out next
	acked   int
	strange string // an answer that the protocol does not have here
}

func (e *engine) connect() {
	e.c = e.r.dial()
	_ = e.c.ws.WriteMessage(1, []byte(open("a", "k")))
	e.hear()
}

// hear takes in what has come.
func (e *engine) hear() {
	time.Sleep(50 * time.Millisecond)
	synctest.Wait()
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	for _, b := range e.c.got {
		var m struct {
			Type, Code           string
			Seq, Acked, Expected int
		}
		if b == nil {
			continue
		}
		_ = json.Unmarshal(b, &m)
		switch {
		case m.Type == "opened" && m.Acked >= e.acked:
			e.acked, e.next = m.Acked, m.Acked+1
		case m.Type == "ack" && m.Seq > e.acked && m.Seq <= e.sent:
			e.acked = m.Seq
		case m.Type == "ack" && m.Seq == e.acked, m.Type == "error":
		case m.Type == "nack" && m.Code == "gap":
			e.next = m.Expected
		default:
			e.strange = fmt.Sprintf("%s while %d of %d were acknowledged", b, e.acked, e.sent)
		}
	}
	e.c.got = nil
}

// speak sends what has not been sent on this connection.
func (e *engine) speak() {
	for ; e.next <= e.sent; e.next++ {
		_ = e.c.ws.WriteMessage(1, []byte(say("a", e.next)))
	}
}

// step does one thing of a plan.
func (e *engine) step(action int, s *flakySpool) {
	switch action {
	case 0, 1, 2:
		e.sent += action + 1
		e.speak()
	case 3: // the network drops, and nobody waits for what was under way
		e.c.ws.Close()
		e.connect()
	case 4: // the network drops unseen: the new connection takes the stream over
		e.connect()
	case 5:
		s.fail.Add(1)
		e.sent++
		e.speak()
		e.hear()
		e.connect()
	case 6: // a message is lost on the way
		e.sent += 2
		e.next = e.sent
		e.speak()
		e.hear()
	case 7: // more is sent than needed
		e.next = max(1, e.next-2)
		e.speak()
	}
	if action%2 == 0 {
		e.hear()
	}
}

// Whatever happens to connections and appends, every utterance is stored once,
// in order, and what was acknowledged is among them.
func TestNothingLostDoubledOrOutOfOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(rapid.IntRange(0, 7), 1, 25).Draw(rt, "plan")
		var trouble string
		synctest.Test(t, func(t *testing.T) {
			s := &flakySpool{Memory: spool.NewMemory()}
			e := &engine{r: start(t, ingest.Config{Window: 4}, s), next: 1}
			e.connect()
			for _, action := range plan {
				e.step(action, s)
			}
			s.fail.Store(0)
			e.connect()
			e.speak()
			e.hear()
			var want []string
			for seq := range e.sent {
				want = append(want, fmt.Sprintf("a/%d", seq+1))
			}
			got := strings.Fields(e.r.seqs())
			switch {
			case e.strange != "":
				trouble = "the server said " + e.strange
			case !slices.Equal(got, want):
				trouble = fmt.Sprintf("stored %v, want %v", got, want)
			case e.acked != e.sent:
				trouble = fmt.Sprintf("%d are acknowledged, want %d", e.acked, e.sent)
			}
		})
		if trouble != "" {
			rt.Fatal(trouble)
		}
	})
}

// Protocol: close code 1011 and error code `internal`: a fault of the server's
// own ends one connection, not the server.
func TestPanic(t *testing.T) {
	run(t, ingest.Config{OnPartial: func(ingest.Partial) { panic("BUG: for the test") }}, func(r *rig) {
		c, other := r.dial(), r.dial()
		other.send(open("b", "k"))
		other.expect(opened("b", 0))
		c.send(open("a", "k", twoChannels), say("a", 1))
		c.expect(opened("a", 0), ack("a", 1))
		c.send(`{"type":"partial","channel":"0","content":"x"}`)
		c.expect(`{"type":"error","code":"internal"}`)
		c.expectClose(1011)
		other.send(say("b", 1))
		other.expect(ack("b", 1))
		c = r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 1))
	})
}

// The names on /metrics are what dashboards are built on.
func TestMetricNames(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		var b bytes.Buffer
		r.set.WritePrometheus(&b)
		var got []string
		for line := range strings.Lines(b.String()) {
			name, _, _ := strings.Cut(line, " ")
			got = append(got, name)
		}
		slices.Sort(got)
		want := []string{"steno_calls_active", "steno_connections"}
		for _, why := range []string{"busy", "draining", "full", "handshake", "origin", "starting", "unauthorized"} {
			want = append(want, `steno_ingest_connections_refused_total{why="`+why+`"}`)
		}
		for _, why := range []string{"field", "type"} {
			want = append(want, `steno_ingest_ignored_total{why="`+why+`"}`)
		}
		for _, code := range []string{"call_ended", "gap", "invalid", "too_large", "unknown_stream"} {
			want = append(want, `steno_ingest_nacks_total{code="`+code+`"}`)
		}
		want = append(want, "steno_ingest_partials_total", "steno_utterances_duplicate_total")
		for _, d := range dialect.All() {
			for _, what := range []string{"engine_failures", "engine_ignored", "engine_partials", "engine_utterances", "revisions"} {
				want = append(want, "steno_ingest_"+what+`_total{dialect="`+d.Name+`"}`)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("metrics are %q\nwant %q", got, want)
		}
	})
}
