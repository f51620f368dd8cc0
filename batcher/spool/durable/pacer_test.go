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

func TestPacer(t *testing.T) {
	begin := time.Unix(1573503300, 0)
	// share is that of a frame after a second of groups that come evenly, each
	// a frame of its own.
	share := func(every time.Duration) int {
		var p pacer
		now := begin
		for ; now.Before(begin.Add(time.Second)); now = now.Add(every) {
			p.begin(now, 1)
		}
		return p.wanted(now)
	}
	for every, want := range map[time.Duration]int{ // F1
		time.Second: 1, 5 * time.Millisecond: 1, frameEvery/2 + 1: 1, frameEvery / 2: 2,
		frameEvery / 5: 5, frameEvery / 50: 50, frameEvery / 1000: plenty,
	} {
		if got := share(every); got != want {
			t.Errorf("F1: with a group every %v a frame's share is %d, want %d", every, got, want)
		}
	}
	var p pacer
	p.begin(begin, 1)
	last := begin.Add(lookTime)
	p.begin(last, lookGroups)
	if got := p.wanted(last.Add(lookTime)); got != 2 { // 65 in 100 ms
		t.Errorf("F2: while the next look lasts the share is %d, want 2", got)
	}
	if got := p.wanted(last.Add(lookTime + 1)); got != 1 {
		t.Errorf("F2: after a look that should have ended the share is %d, want 1", got)
	}
	p.vain()
	if got := p.wanted(last); got != 1 {
		t.Errorf("F3: after a wait in vain the share is %d, want 1", got)
	}
	p.begin(last.Add(frameEvery), lookGroups)
	if got := p.wanted(last.Add(frameEvery)); got != lookGroups {
		t.Errorf("F3: after the next look the share is %d, want %d", got, lookGroups)
	}
}

// crowd is a pacer that wants a share of n.
func crowd(now time.Time, n int) *pacer { return &pacer{since: now, share: n} }

func TestAFrameWaitsForItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Spool{appended: make(chan struct{}, 1), store: &store{Connection: &Connection{write: &nats.Conn{}}}}
		appending, stop := context.WithCancel(t.Context())
		var appenders sync.WaitGroup
		defer appenders.Wait()
		defer stop()
		join := func(after time.Duration, group ...*spool.Record) {
			time.AfterFunc(after, func() { appenders.Go(func() { _ = s.Append(appending, group) }) })
		}
		gathered := func(p *pacer) time.Duration {
			begun := time.Now()
			s.gather(t.Context(), p)
			return time.Since(begun)
		}
		if got := gathered(crowd(time.Now(), 3)); got != 0 {
			t.Errorf("with nothing waiting, gathered for %v", got)
		}
		join(0, &spool.Record{})
		synctest.Wait()
		p := crowd(time.Now(), 3)
		if got := gathered(p); got != frameMost || p.share != 1 {
			t.Errorf("F3: alone, gathered for %v and left a share of %d, want %v and 1", got, p.share, frameMost)
		}
		time.AfterFunc(time.Millisecond, func() { wake(s.appended) }) // somebody else's
		join(2*time.Millisecond, &spool.Record{})
		join(3*time.Millisecond, &spool.Record{})
		if got, want := gathered(crowd(time.Now(), 3)), 3*time.Millisecond; got != want {
			t.Errorf("with the third group after %v, gathered for %v", want, got)
		}
		if got := gathered(crowd(time.Now(), 3)); got != 0 {
			t.Errorf("with its share waiting, gathered for %v", got)
		}
		join(time.Millisecond, &spool.Record{}, &spool.Record{Urgent: true})
		if got := gathered(crowd(time.Now(), 9)); got != time.Millisecond {
			t.Errorf("with an urgent utterance after 1 ms, gathered for %v", got)
		}
		if got := gathered(crowd(time.Now(), 9)); got != 0 {
			t.Errorf("with an urgent utterance waiting, gathered for %v", got)
		}
	})
}
