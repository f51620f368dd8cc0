package ingest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest"
)

const end = `{"type":"close","stream":"a","reason":"end"}`
const endB = `{"type":"close","stream":"b","reason":"end"}`

// Protocol: "`close` with reason `end` ends the stream; when the last stream of
// a call has ended with `end`, the call's buffer is flushed at once": the spool
// gets the mark, after the call's last utterance, in the same group. `closed`
// is said when all that is safe.
func TestEndOfACall(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "second", `"parentCallKey":"first"`), open("b", "first"))
		c.expect(opened("a", 0), opened("b", 0))
		c.send(say("b", 1))
		<-g.asked
		c.send(say("a", 1), end, say("b", 2), endB)
		c.quiet()
		g.allow <- nil
		c.expect(ack("b", 1))
		if group := <-g.asked; len(group) != 3 || !group[2].Ended || group[2].Call != "first" {
			t.Errorf("the last group is %+v, want two utterances and the mark of call first", group)
		}
		c.quiet()
		g.allow <- nil
		c.expect(ack("a", 1), closed("a", 1), ack("b", 2), closed("b", 2))
		r.wantStored("b/1 a/1 b/2 end:first")
		r.wantMetric("steno_calls_active", "0")
	})
}

// Protocol: "A dropped connection is not an end". Neither is a close with
// another reason, nor the resume time's end.
func TestNotAnEnd(t *testing.T) {
	run(t, ingest.Config{Resume: time.Minute}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), say("a", 1), `{"type":"close","stream":"a","reason":"hold"}`)
		c.expect(opened("a", 0), ack("a", 1), closed("a", 1))
		c.send(open("b", "k"), say("b", 1), `{"type":"close","stream":"b"}`)
		c.expect(opened("b", 0), ack("b", 1), closed("b", 1))
		c.ws.Close()
		r.wantMetric("steno_calls_active", "1")
		time.Sleep(2 * time.Minute)
		r.wantStored("a/1 b/1")
	})
}

// Protocol: code `call_ended`. An ended stream may be opened again: what it has
// is acknowledged, nothing new is taken.
func TestAfterTheEnd(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), say("a", 1), say("a", 2), end, say("a", 3))
		c.expect(opened("a", 0))
		c.acked("a", 2)
		c.expect(closed("a", 2), nack("a", 3, "unknown_stream"))
		c.ws.Close()
		c = r.dial()
		c.send(open("a", "k"), say("a", 2), say("a", 3))
		c.expect(opened("a", 2), ack("a", 2), nack("a", 3, "call_ended"))
		c.send(end) // the client that did not read `closed` says it again
		c.expect(closed("a", 2))
		r.wantStored("a/1 a/2 end:k")
		r.wantMetric(`steno_ingest_nacks_total{code="call_ended"}`, "1")
		r.wantMetric("steno_calls_active", "0")
	})
}

// endFromTwo ends the two streams of a call from two connections at once, each
// in a turn of its own that waits to be let through.
func endFromTwo(r *rig, g *gateSpool) (one, two *client) {
	r.t.Helper()
	one, two = r.dial(), r.dial()
	one.send(open("a", "k"))
	one.expect(opened("a", 0))
	two.send(open("b", "k"))
	two.expect(opened("b", 0))
	one.send(say("a", 1))
	<-g.asked
	two.send(say("b", 1))
	<-g.asked
	one.send(say("a", 2), end) // each of these is one turn, as the spool is slow
	two.send(say("b", 2), endB)
	synctest.Wait()
	g.allow <- nil
	g.allow <- nil
	for range 2 {
		if group := <-g.asked; len(group) != 1 {
			r.t.Errorf("a group is %+v, want one utterance: the other stream's end is not safe yet", group)
		}
	}
	return one, two
}

// The end of a call may come from two connections at once. Whichever is safe
// last brings the mark, after both.
func TestEndFromTwoConnections(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		one, two := endFromTwo(r, g)
		g.allow <- nil
		g.allow <- nil
		if last := g.collect(); len(last) != 1 || !last[0].Ended {
			t.Errorf("after both ends came %+v, want the mark", last)
		}
		one.acked("a", 2)
		one.expect(closed("a", 2))
		two.acked("b", 2)
		two.expect(closed("b", 2))
	})
}

// A mark that could not be stored, of a call that is over, comes with the next
// `close` that says so.
func TestMarkThatFails(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(end)
		<-g.asked
		g.allow <- errDisk
		c.expect(`{"type":"error","code":"overloaded"}`)
		c.expectClose(1013)
		c = r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(end)
		g.pass()
		c.expect(closed("a", 0))
		r.wantStored("end:k")
	})
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		one, two := endFromTwo(r, g)
		g.allow <- nil
		g.allow <- nil
		<-g.asked // both ends are safe, and this is the mark
		g.allow <- errDisk
		synctest.Wait()
		one.ws.Close()
		two.ws.Close()
		c := r.dial()
		c.send(open("b", "k"))
		c.expect(opened("b", 2))
		c.send(endB)
		if last := g.collect(); len(last) != 1 || !last[0].Ended {
			t.Errorf("after `close` was said again came %+v, want the mark", last)
		}
		c.expect(closed("b", 2))
	})
}

// A call that goes on after its end is marked again at its next end.
func TestCallGoesOn(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), end)
		c.expect(opened("a", 0), closed("a", 0))
		c.send(open("b", "k"), say("b", 1), endB)
		c.expect(opened("b", 0), ack("b", 1), closed("b", 1))
		r.wantStored("end:k b/1 end:k")
	})
}

// An end that could not be stored is no end: the client says it again.
func TestEndThatFails(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1) + "\n" + end)
		<-g.asked
		g.allow <- errDisk
		c.expect(`{"type":"error","code":"overloaded","retryAfter":2000}`)
		c.expectClose(1013)
		r.wantMetric("steno_calls_active", "1")
		c = r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1), end)
		g.collect()
		c.expect(ack("a", 1), closed("a", 1))
		r.wantStored("a/1 end:k")
	})
}
