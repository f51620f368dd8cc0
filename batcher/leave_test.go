package batcher_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
)

// TestLeave: what is in flight is settled, nothing else is sent, and the rest is
// left for somebody else.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		defer r.abandon(nil)
		for _, call := range []string{"a", "b", "c", "d", "e"} {
			r.say(call, 1)
		}
		time.Sleep(50 * time.Millisecond) // one request is in flight, and takes 150 ms
		r.say("a", 3)
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		r.batcher.Leave()
		r.batcher.Leave() // twice changes nothing
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 90*time.Millisecond {
			t.Errorf("leaving took %v, want what the request in flight took", took)
		}
		if a := r.spool.Account(); a.Delivered != 5 || a.Pending != 3 {
			t.Errorf("delivered %d and pending %d, want 5 and 3", a.Delivered, a.Pending)
		}
		if len(r.org.stored["a"]) != 1 {
			t.Errorf("the org has %v, want nothing that was not in flight", r.org.stored["a"])
		}
	})
}

// TestLeaveIdle: a batcher that waits for records leaves too, and reads no more.
func TestLeaveIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		defer r.abandon(nil)
		synctest.Wait()
		r.batcher.Leave()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		r.say("a", 1)
		n, err := r.spool.Read(context.Background(), make([]*spool.Record, 9))
		if n != 1 || err != nil {
			t.Errorf("another reader gets %d, %v, want the one that was said", n, err)
		}
	})
}
