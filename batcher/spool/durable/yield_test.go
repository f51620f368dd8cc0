package durable

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"example.com/steno/batcher/spool"
)

func TestAFrameWaitsForTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Spool{
			appended: make(chan struct{}, 1), eased: make(chan struct{}, 1), ledger: newLedger(1),
			store: &store{Connection: &Connection{write: &nats.Conn{}}},
		}
		s.ledger.liveLimit = 4
		appending, stop := context.WithCancel(t.Context())
		var appenders sync.WaitGroup
		defer appenders.Wait()
		defer stop()
		appendAfter := func(after time.Duration, r *spool.Record) {
			time.AfterFunc(after, func() { appenders.Go(func() { _ = s.Append(appending, []*spool.Record{r}) }) })
		}
		last := spool.Position(0)
		live := func(n int) {
			for range n {
				last++
				s.ledger.commit(uint64(last), []*spool.Record{{Call: "a", Position: last}})
			}
		}
		readAfter := func(after time.Duration, n int) {
			time.AfterFunc(after, func() {
				if got, err := s.take(make([]*spool.Record, n)); got != n || err != nil {
					t.Errorf("take = %d, %v, want %d", got, err, n)
				}
			})
		}
		f := func(want time.Duration, when string) {
			t.Helper()
			synctest.Wait()
			begun := time.Now()
			s.yield(t.Context())
			if got := time.Since(begun); got != want {
				t.Errorf("%s: the frame waits for %v, want %v", when, got, want)
			}
		}
		live(3)
		readAfter(0, 1)
		synctest.Wait()
		var none frame
		if f(0, "nothing waits"); s.next(&none) {
			t.Fatal("a frame of nothing was begun")
		}
		appendAfter(0, &spool.Record{})
		f(yieldMost, "B1: two of four are taken up, and nobody takes them")
		readAfter(time.Millisecond, 1)
		f(time.Millisecond, "B1: one is taken after 1 ms")
		f(0, "B1: there is room")
		live(2)
		appendAfter(time.Millisecond, &spool.Record{})
		appendAfter(2*time.Millisecond, &spool.Record{Urgent: true})
		f(2*time.Millisecond, "B1: something is urgent after 2 ms")
		f(0, "B1: something urgent waits")

		var under frame
		if !s.next(&under) {
			t.Fatal("nothing waits")
		}
		for _, g := range under.groups {
			g.done <- nil
		}
		appendAfter(0, &spool.Record{})
		f(0, "B2: nothing was taken since this frame was begun")
		cancelled, cancel := context.WithCancel(t.Context())
		readAfter(0, 1)
		time.AfterFunc(time.Millisecond, cancel)
		synctest.Wait()
		live(1)
		begun := time.Now()
		s.yield(cancelled)
		if got := time.Since(begun); got != time.Millisecond {
			t.Errorf("a frame waits for %v after its end, want 1ms", got)
		}
	})
}
