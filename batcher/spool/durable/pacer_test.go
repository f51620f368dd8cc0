package durable

import (
	"testing"
	"time"
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
