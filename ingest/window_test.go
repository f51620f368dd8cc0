package ingest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest"
	"github.com/gorilla/websocket"
)

// Protocol: "`ack` … means safe": nothing is acknowledged before the spool has
// it, whatever comes meanwhile; and all that waited goes as one group.
func TestAckOnlyWhenSafe(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		<-g.asked
		for seq := 2; seq <= 10; seq++ {
			c.send(say("a", seq))
		}
		c.send(say("a", 5), `{"type":"ping"}`) // a resend of what is not safe yet
		time.Sleep(10 * time.Second)
		c.quiet()
		g.allow <- nil
		c.expect(ack("a", 1))
		if n := g.pass(); n != 9 {
			t.Errorf("a group of %d, want all 9 that waited", n)
		}
		c.expect(ack("a", 10), `{"type":"pong"}`)
		c.quiet()
	})
}

// Protocol: "At most `window` utterances unacknowledged; beyond it the server
// stops reading that connection until it catches up." Other connections do not
// feel it.
func TestWindow(t *testing.T) {
	runSlow(t, ingest.Config{Window: 4}, func(r *rig, g *gateSpool) {
		c, other := r.dial(), r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		sent := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for sent < 20 {
				c.send(say("a", sent+1))
				sent++
			}
		}()
		synctest.Wait()
		// The window's four, one beyond, and none in a buffer of the network.
		if sent != 5 {
			t.Errorf("%d were read before the first was safe, want 5", sent)
		}
		other.send(open("b", "k"), `{"type":"ping"}`)
		other.expect(opened("b", 0), `{"type":"pong"}`)
		total := 0
		for total < 20 {
			total += g.pass()
			synctest.Wait()
			if unsafe := sent - total; unsafe > 5 {
				t.Errorf("%d were read beyond what was safe, want 5 at most", unsafe)
			}
		}
		<-done
		c.acked("a", 20)
		if total != 20 {
			t.Errorf("%d utterances were stored, want 20", total)
		}
	})
}

// A flood of what is dropped anyway stops at the window too.
func TestWindowHoldsForRepeats(t *testing.T) {
	runSlow(t, ingest.Config{Window: 4}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		sent := 0
		go func() {
			for sent < 1000 && c.ws.WriteMessage(1, []byte(say("a", 1))) == nil {
				sent++
			}
		}()
		synctest.Wait()
		if sent != 5 {
			t.Errorf("%d were read, want 5", sent)
		}
	})
}

// While the spool is slow the connection shows signs of life: pings go out, and
// a client that answers them is not idle.
func TestPingsWhileTheSpoolIsSlow(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		<-g.asked
		time.Sleep(10 * time.Minute)
		c.quiet()
		g.allow <- nil
		c.expect(ack("a", 1))
	})
}

// An append that fails acknowledges nothing; the connection closes with 1013
// after an error `overloaded`; what was received is rolled back, ids included,
// and taken when it comes again.
func TestAppendFails(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		epoch := c.epoch()
		c.send(say("a", 1, `"messageId":"m"`))
		<-g.asked
		c.send(say("a", 2))
		synctest.Wait()
		g.allow <- errDisk
		c.expect(`{"type":"error","code":"overloaded","retryAfter":2000}`)
		c.expectClose(1013)
		r.wantStored("")

		c = r.dial()
		c.send(open("a", "k"))
		if again := c.epoch(); again != epoch {
			t.Errorf("the epoch became %s, was %s: the spool may have the utterances under it", again, epoch)
		}
		c.send(say("a", 1, `"messageId":"m"`), say("a", 2))
		g.collect()
		c.acked("a", 2)
		r.wantStored("a/1 a/2")
		r.wantMetric("steno_utterances_duplicate_total", "0")
	})
}

// A client that closes is not told "done" when its last words were not stored.
func TestAppendFailsAtTheEnd(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		<-g.asked
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		if err := c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		g.allow <- errDisk
		c.expect(`{"type":"error","code":"overloaded"}`)
		c.expectClose(1013)
	})
}

// A spool that was closed ends connections the same way, and only those that
// have something to store.
func TestSpoolClosed(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		r.spool.Close()
		c.send(`{"type":"ping"}`)
		c.expect(`{"type":"pong"}`)
		c.send(say("a", 1))
		c.expect(`{"type":"error","code":"overloaded"}`)
		c.expectClose(1013)
	})
}

// Protocol: close code 4429 is for "too many … messages".
func TestTooManyMessages(t *testing.T) {
	run(t, ingest.Config{MaxRate: 10}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		for range 30 { // at the rate, for ever
			time.Sleep(100 * time.Millisecond)
			c.send(`{"type":"ping"}`)
			c.expect(`{"type":"pong"}`)
		}
		time.Sleep(time.Hour / 60)
		for seq := range 10 { // a second's worth at once
			c.send(say("a", seq+1))
		}
		c.acked("a", 10)
		c.send(`{"type":"ping"}`)
		c.expectClose(4429)
		r.wantStored("a/1 a/2 a/3 a/4 a/5 a/6 a/7 a/8 a/9 a/10")
	})
}
