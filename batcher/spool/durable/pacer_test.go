package durable

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
)

func TestPacer(t *testing.T) {
	begin := time.Unix(1573503300, 0)
	frames := func(every, within time.Duration) (n int, longest time.Duration) {
		var p pacer
		for now, due := begin, begin; due.Before(begin.Add(within)); n++ {
			now = later(now, due)
			wait := p.wait(now)
			longest = max(longest, wait)
			now = now.Add(wait)
			p.begin(now)
			due = due.Add(every)
			if due.Before(now) { // what came meanwhile is in the frame
				due = now.Add(every)
			}
		}
		return n, longest
	}
	if n, longest := frames(frameEvery, 10*time.Second); longest > 0 || n != int(10*time.Second/frameEvery)+1 {
		t.Errorf("F1: %d frames at the pace itself, one of which waited %v, want none to wait", n, longest)
	}
	n, longest := frames(100*time.Microsecond, 10*time.Second)
	if want := int(10*time.Second/frameEvery) + frameBurst; n < want-2 || n > want+2 || longest > frameEvery {
		t.Errorf("F2: %d frames in 10 s, one of which waited %v, want %d and at most %v", n, longest, want, frameEvery)
	}
	var p pacer
	for range frameBurst {
		if wait := p.wait(begin); wait != 0 {
			t.Fatalf("F2: a frame of the burst waits %v", wait)
		}
		p.begin(begin)
	}
	if wait := p.wait(begin.Add(time.Hour)); wait != 0 {
		t.Errorf("F1: an hour later a frame waits %v", wait)
	}
}

func TestUrgentWaitsForNoCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Spool{appended: make(chan struct{}, 1)}
		var p pacer
		for range frameBurst + 1 {
			p.begin(time.Now())
		}
		gathered := func() time.Duration {
			begun := time.Now()
			s.gather(t.Context(), &p)
			return time.Since(begun)
		}
		urgent := time.AfterFunc(time.Millisecond, func() {
			s.mu.Lock()
			s.urgent = anyUrgent([]spool.Record{{}, {Urgent: true}})
			s.mu.Unlock()
			wake(s.appended)
		})
		defer urgent.Stop()
		if got := gathered(); got != time.Millisecond {
			t.Errorf("with an urgent utterance after 1 ms, gathered for %v", got)
		}
		if got := gathered(); got != 0 {
			t.Errorf("with an urgent utterance waiting, gathered for %v", got)
		}
		s.urgent = false
		s.waiting = make([]*group, plenty)
		if got := gathered(); got != 0 {
			t.Errorf("with %d groups waiting, gathered for %v", plenty, got)
		}
		s.waiting = s.waiting[:1]
		wake(s.appended) // somebody else's
		if got, want := gathered(), frameEvery-time.Millisecond; got != want {
			t.Errorf("with one group waiting, gathered for %v, want %v", got, want)
		}
	})
}
