package batcher

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestGateHoldsTheOrgBack(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x!", "b:x!")
	b.want("", "a[1] single", "b[2] single")
	b.answer(Result{Verdict: Retry}, Down)
	b.say("c:x!")
	b.want("G1: shut")
	b.answer(ok, None) // b's: it left before the gate was shut
	b.want("G4: still shut")
	b.pass(500*time.Millisecond - 1)
	b.want("G1: shut for at least half a second")
	b.pass(126 * time.Millisecond)
	b.want("G2: one tries, the oldest", "a[1] single")
	b.pass(time.Hour)
	b.want("G2: one at a time")
	b.answer(Result{Verdict: Retry}, Down)
	b.pass(time.Second - 1)
	b.want("G3: shut for twice as long")
	b.pass(251 * time.Millisecond)
	b.want("G2", "a[1] single")
	b.answer(ok, None)
	b.want("open again", "c[3] single")
}

func TestGateWaits(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	f := func(trouble Trouble, asked time.Duration, inARow int, least time.Duration) {
		t.Helper()
		g := gate{inARow: inARow}
		g.shut(now, now, Outcome{Trouble: trouble, Wait: asked}, rand.New(rand.NewPCG(3, 4)))
		got := g.until.Sub(now)
		if got < least || got > least+least/4 {
			t.Errorf("%v for the %d. time, asked to wait %v: shut for %v, want %v and up to a quarter more", trouble, inARow+1, asked, got, least)
		}
	}
	f(Down, 0, 0, 500*time.Millisecond)
	f(Down, 0, 1, time.Second)
	f(Down, 0, 100, 10*time.Second)
	f(Throttled, 0, 0, 5*time.Second) // the sender of Salesforce itself: 5, 10, 20 s
	f(Throttled, 0, 1, 10*time.Second)
	f(Throttled, 0, 2, 20*time.Second)
	f(Throttled, 0, 3, 20*time.Second)
	f(Throttled, 12*time.Second, 0, 12*time.Second) // Retry-After is honoured
	f(Throttled, time.Second, 0, 5*time.Second)     // but never below what is known of the org
	f(Throttled, 24*time.Hour, 0, 5*time.Minute)    // and capped
	f(Parked, 0, 0, time.Minute)
	f(Parked, 0, 9, 5*time.Minute)
	f(Barred, 0, 0, 5*time.Second)
}

func TestGateCountsOneOutageOnce(t *testing.T) {
	b := newBench(t, limits)
	for i := range 10 {
		b.say(string(rune('a'+i)) + ":x!")
	}
	b.sent()
	for range 10 {
		b.pass(time.Millisecond)
		b.answer(Result{Verdict: Retry}, Down)
	}
	if got := b.p.gate.inARow; got != 1 {
		t.Errorf("G4: ten requests of one outage counted as %d in a row, want 1", got)
	}
}
