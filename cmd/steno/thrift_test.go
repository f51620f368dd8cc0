package main

import (
	"runtime/debug"
	"testing"
)

// Collecting that costs much makes room for garbage, at once; collecting that
// costs little takes it away again, by and by; between the two nothing changes.
func TestThrift(t *testing.T) {
	th := thrift{percent: leastGarbage}
	var collected, in float64
	f := func(share float64, want ...int) {
		t.Helper()
		for _, want := range want {
			collected, in = collected+share, in+1
			if got := th.look(collected, in); got != want {
				t.Errorf("after a second with %.2f of it for collecting: %d %%, want %d", share, got, want)
			}
		}
	}
	f(0.01, 25)
	f(0.08, 25)
	f(0.12, 37, 55, 82, 100, 100)
	f(0.08, 100)
	f(0.01, 90, 81, 72)
	if got := th.look(collected, in); got != 64 { // nothing was collected since
		t.Errorf("with no time gone by: %d %%, want 64", got)
	}
}

// Whoever has set one of Go's own variables decides alone, and what was before
// comes back.
func TestThriftLeavesWhatIsSet(t *testing.T) {
	f := func(want int, environ ...string) {
		t.Helper()
		before := debug.SetGCPercent(77)
		defer debug.SetGCPercent(before)
		stop := keepThrift(environ)
		got := debug.SetGCPercent(77)
		stop()
		if after := debug.SetGCPercent(77); got != want || after != 77 {
			t.Errorf("with %q: %d %%, and %d afterwards; want %d and 77", environ, got, after, want)
		}
	}
	f(77, "GOGC=77")
	f(77, "GOMEMLIMIT=1GiB")
	f(leastGarbage)
	f(leastGarbage, "GOGC=", "GOGCX=1")
}
