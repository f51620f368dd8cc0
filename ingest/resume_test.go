package ingest_test

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
	"github.com/gorilla/websocket"
)

// Protocol: "A dropped connection is not an end: the stream waits for its
// resume time." "`opened.acked` is the highest seq that is safe. A client
// resends from there on". "The server drops what it has already (seq ≤ acked)
// and still acknowledges it."
func TestResume(t *testing.T) {
	run(t, ingest.Config{Resume: time.Minute}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"))
		epoch := c.epoch()
		c.send(say("a", 1), say("a", 2))
		c.acked("a", 2)
		c.ws.Close()
		time.Sleep(time.Minute - time.Nanosecond)
		r.wantMetric("steno_calls_active", "1")

		c = r.dial()
		c.send(open("a", "k"))
		if again := c.epoch(); again != epoch {
			t.Errorf("the epoch became %s, was %s", again, epoch)
		}
		c.send(say("a", 2), say("a", 3))
		c.acked("a", 3)
		r.wantStored("a/1 a/2 a/3")
		r.wantMetric("steno_utterances_duplicate_total", "1")
		c.send(`{"type":"close","reason":"rest"}`, open("a", "k"))
		c.expect(closed("a", 3), opened("a", 3))
	})
}

// Protocol: "A changed `epoch` means that the server has lost the stream's
// state". It does so exactly when the resume time is over, and the spool too
// is told to forget the stream.
func TestResumeTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &markSpool{Memory: spool.NewMemory()}
		r := start(t, ingest.Config{Resume: time.Minute, Idle: time.Hour}, s)
		c := r.dial()
		c.send(open("a", "k"))
		epoch := c.epoch()
		c.send(say("a", 1))
		c.expect(ack("a", 1))
		time.Sleep(10 * time.Minute) // while connected, it lives
		if forgot := s.forgot(); len(forgot) > 0 {
			t.Errorf("the spool forgot %v while the stream was open", forgot)
		}
		c.ws.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := s.forgot(), (map[spool.StreamID]int{{Call: "k", ID: "a"}: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("the spool forgot %v, want %v", got, want)
		}
		r.wantMetric("steno_calls_active", "0")
		c = r.dial()
		c.send(open("a", "k"))
		if again := c.epoch(); again == epoch {
			t.Errorf("the epoch is still %s after the resume time", epoch)
		}
	})
}

// Protocol: "A changed epoch means that the server has lost the stream's state:
// resend everything you still hold." What was acknowledged in the lost life is
// held no more, so the client begins above 1; it is asked for 1 once, in case
// it does hold that.
func TestResendIntoANewLife(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), say("a", 39), say("a", 40), say("a", 41))
		c.expect(opened("a", 0))
		for _, seq := range []string{"39", "40", "41"} {
			c.expect(`{"type":"nack","seq":` + seq + `,"code":"gap","expected":1}`)
		}
		c.send(say("a", 39), say("a", 40), say("a", 41))
		c.acked("a", 41)
		r.wantStored("a/39 a/40 a/41")
	})
	run(t, ingest.Config{}, func(r *rig) { // one that does hold 1 sends it
		c := r.dial()
		c.send(open("a", "k"), say("a", 3), say("a", 1), say("a", 2), say("a", 3))
		c.expect(opened("a", 0), nack("a", 3, "gap"))
		c.acked("a", 3)
		r.wantStored("a/1 a/2 a/3")
	})
}

// Protocol: messageIds are "the same after every resend and restart", and
// `epoch` and `acked` of streams from before come back with the spool.
func TestRecoveredStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &markSpool{Memory: spool.NewMemory(), marks: []spool.StreamMark{
			{Stream: spool.StreamID{Call: "k", ID: "a"}, Call: "first", Epoch: "7f3a", Acked: 38, At: time.Now().Add(-time.Hour)},
			{Stream: spool.StreamID{Call: "k", ID: "b"}, Call: "k", Epoch: "7f3b", Acked: 3},
			{Stream: spool.StreamID{Call: "k", ID: "c"}, Call: "k", Epoch: "7f3c"},
		}}
		r := start(t, ingest.Config{Resume: time.Minute}, s)
		r.wantMetric("steno_calls_active", "2")
		c := r.dial()
		c.send(open("a", "k", `"parentCallKey":"first"`))
		c.expect(`{"type":"opened","stream":"a","epoch":"7f3a","acked":38}`)
		c.send(say("a", 38), say("a", 39))
		c.acked("a", 39)
		c.send(open("c", "k"))
		c.expect(`{"type":"opened","stream":"c","epoch":"7f3c","acked":0}`)
		r.wantStored("a/39")
		time.Sleep(time.Minute) // the resume time counts from the start: it was the server that was away
		synctest.Wait()
		if got, want := s.forgot(), (map[spool.StreamID]int{{Call: "k", ID: "b"}: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("the spool forgot %v, want %v", got, want)
		}
	})
}

// A messageId is accepted once per call within the resume time, across a
// restart too.
func TestRecoveredMessageIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &markSpool{Memory: spool.NewMemory(), recent: []spool.Sighting{
			{Call: "k", MessageID: "late", At: time.Now().Add(-10 * time.Second)},
			{Call: "k", MessageID: "early", At: time.Now().Add(-50 * time.Second)},
		}}
		r := start(t, ingest.Config{Resume: time.Minute, Idle: time.Hour}, s)
		c := r.dial()
		c.send(open("a", "k"), open("b", "other"))
		c.expect(opened("a", 0), opened("b", 0))
		time.Sleep(20 * time.Second)
		c.send(say("a", 1, `"messageId":"early"`), say("a", 2, `"messageId":"late"`), say("b", 1, `"messageId":"late"`))
		c.acked("a", 2)
		c.acked("b", 1)
		r.wantStored("a/1 b/1") // early is 70 s old, and the other call has its own names
		r.wantMetric("steno_utterances_duplicate_total", "1")
	})
}

// Protocol: "A second connection for the same stream takes it over; the older
// one is closed with 4409."
func TestTakeover(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		a := r.dial()
		a.send(open("a", "k"), open("other", "k"), say("a", 1))
		a.expect(opened("a", 0), opened("other", 0), ack("a", 1))
		b := r.dial()
		b.send(open("a", "k"))
		b.expect(opened("a", 1))
		a.expectClose(4409)
		b.send(say("a", 2))
		b.expect(ack("a", 2))
		b.send(open("other", "k")) // what else the older one had is free
		b.expect(opened("other", 0))
		r.wantStored("a/1 a/2")
		r.wantMetric("steno_connections", "1")
	})
}

// What a client had said on a connection that it has given up may be held up on
// the way, an open too. It must not take the stream from the connection that
// came after it, whose client would leave for good.
func TestOvertaken(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		late, other := r.dial(), r.dial()
		late.send(open("b", "k"), say("b", 1))
		late.expect(opened("b", 0), ack("b", 1))
		time.Sleep(time.Millisecond)
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		late.send(open("a", "k") + "\n" + say("a", 1))
		late.expectClose(1013)
		c.send(open("b", "k"), say("b", 2)) // what else it had is safe, and free
		c.expect(opened("b", 1), ack("b", 2))
		other.send(open("c", "k"), open("a", "k"))
		other.expect(opened("c", 0))
		other.expectClose(1013)
		back := r.dial() // it was there after all
		back.send(open("a", "k"))
		back.expect(opened("a", 0))
		c.expectClose(4409)
		r.wantStored("b/1 b/2")
	})
}

// A later connection that is on its way out keeps nothing: the earlier one waits
// for what it still stores.
func TestLaterConnectionThatLeaves(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		earlier := r.dial()
		time.Sleep(time.Millisecond)
		later := r.dial()
		later.send(open("a", "k"))
		later.expect(opened("a", 0))
		later.send(say("a", 1))
		<-g.asked
		_ = later.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		synctest.Wait()
		earlier.send(open("a", "k"))
		earlier.quiet()
		g.allow <- nil
		earlier.expect(opened("a", 1))
	})
}

// Since when a client is connected a door knows, where there is one. A client's
// own word does not count.
func TestOvertakenBehindADoor(t *testing.T) {
	since := func(at time.Time) string { return fmt.Sprint(at.UnixMicro()) }
	run(t, ingest.Config{Relayed: true}, func(r *rig) {
		now := time.Now()
		c := r.dial(ingest.HeaderSince, since(now))
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		time.Sleep(time.Minute)
		late := r.dial(ingest.HeaderSince, since(now.Add(-time.Second)))
		late.send(open("a", "k"))
		late.expectClose(1013)
		next := r.dial(ingest.HeaderSince, since(now.Add(time.Second)))
		next.send(open("a", "k"))
		next.expect(opened("a", 0))
		c.expectClose(4409)
	})
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial(ingest.HeaderSince, since(time.Now().Add(time.Hour)))
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		time.Sleep(time.Second)
		next := r.dial()
		next.send(open("a", "k"))
		next.expect(opened("a", 0))
		c.expectClose(4409)
	})
}

// A takeover waits until the append of the older connection is decided: only
// then is known how far the stream is safe. What the older one had received
// beyond that is dropped, so nothing comes twice.
func TestTakeoverDuringAnAppend(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		a := r.dial()
		a.send(open("a", "k"))
		a.expect(opened("a", 0))
		a.send(say("a", 1))
		<-g.asked
		a.send(say("a", 2, `"messageId":"m"`)) // received, and not on its way yet
		synctest.Wait()
		b := r.dial()
		b.send(open("a", "k"))
		b.quiet()
		g.allow <- nil
		b.expect(opened("a", 1))
		a.expect(ack("a", 1)) // what is safe may be acknowledged, even to the older one
		a.expectClose(4409)
		b.send(say("a", 2, `"messageId":"m"`))
		g.pass()
		b.expect(ack("a", 2))
		r.wantStored("a/1 a/2")
		r.wantMetric("steno_utterances_duplicate_total", "0")
	})
}

// A takeover that must wait too long is told to come again; it does not take
// the stream from an append whose outcome nobody knows.
func TestTakeoverOfAStuckAppend(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		a := r.dial()
		a.send(open("a", "k"))
		a.expect(opened("a", 0))
		a.send(say("a", 1))
		<-g.asked
		b := r.dial()
		began := time.Now()
		b.send(open("a", "k"))
		b.expect(`{"type":"error","stream":"a","code":"overloaded","retryAfter":2000}`)
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("told after %v, want 5s", waited)
		}
		g.allow <- nil
		a.expect(ack("a", 1))
		a.expectClose(4409)
		b.send(open("a", "k"))
		b.expect(opened("a", 1))
	})
}

// A dropped connection's utterances that were received are stored all the same.
func TestDroppedConnectionStoresWhatItHad(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		<-g.asked
		c.send(say("a", 2), say("a", 3))
		synctest.Wait()
		c.ws.Close()
		g.allow <- nil
		if n := g.pass(); n != 2 {
			t.Errorf("a group of %d, want 2", n)
		}
		c = r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 3))
	})
}

// A stream that is opened again before its close is safe stays where it is.
func TestReopenedAtOnce(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		<-g.asked
		c.send(say("a", 2), `{"type":"close","reason":"rest"}`, open("a", "k"))
		synctest.Wait()
		g.allow <- nil
		g.pass()
		c.expect(ack("a", 1), ack("a", 2), closed("a", 2), opened("a", 2))
		other := r.dial()
		other.send(open("a", "k"))
		other.expect(opened("a", 2))
		c.expectClose(4409)
	})
}

// An `open` that changes the call moves the stream there.
func TestReopenedUnderAParent(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "second"), say("a", 1), `{"type":"close","reason":"transfer"}`, open("a", "second", `"parentCallKey":"first"`), say("a", 2))
		c.expect(opened("a", 0), ack("a", 1), closed("a", 1), opened("a", 1), ack("a", 2))
		var calls []string
		for _, rec := range r.stored() {
			calls = append(calls, rec.Call)
		}
		if want := []string{"second", "first"}; !reflect.DeepEqual(calls, want) {
			t.Errorf("stored under %v, want %v", calls, want)
		}
		r.wantMetric("steno_calls_active", "1")
	})
}
