package batcher

import (
	"fmt"
	"testing"
	"time"
)

func TestFlightIsCutAndRecovers(t *testing.T) {
	f := newFlight(64)
	f.cut(40)
	if f.bound != 20 {
		t.Errorf("F2: bound %d after a cut with 40 in flight, want 20", f.bound)
	}
	f.cut(1)
	if f.bound != 1 {
		t.Errorf("F1: bound %d, want at least 1", f.bound)
	}
	good := 0
	for ; f.bound < 64; good++ {
		f.succeed()
	}
	if want := 63 * 64 / 2; good != want {
		t.Errorf("F3: %d good answers from 1 to 64, want %d: one more for each round", good, want)
	}
	f.succeed()
	if f.bound != 64 {
		t.Errorf("F1: bound %d, want at most 64", f.bound)
	}
}

// F2: twenty requests that are refused together cut once.
func TestOneCutForEachShutGate(t *testing.T) {
	b := newBench(t, limits)
	for i := range 100 {
		b.say(fmt.Sprintf("call%d:x", i))
	}
	b.sent()
	if len(b.inAir) != 20 {
		t.Fatalf("%d requests in the air, want 20", len(b.inAir))
	}
	for range 20 {
		b.answer(Result{Verdict: Retry}, Crowded)
	}
	if b.p.flight.bound != 10 {
		t.Errorf("the bound is %d after twenty refusals at once, want half of twenty", b.p.flight.bound)
	}
	b.pass(2 * time.Second)
	b.sent()
	if len(b.inAir) != 1 {
		t.Errorf("G2: %d requests after the gate, want one", len(b.inAir))
	}
}
