package pack_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/bench/pack"
)

func TestBound(t *testing.T) {
	begin := time.Unix(1573503300, 0)
	at := func(ms int, call, speaker string) pack.Arrival {
		return pack.Arrival{At: begin.Add(time.Duration(ms) * time.Millisecond), Call: call, Speaker: speaker}
	}
	f := func(want int, mixed bool, all ...pack.Arrival) {
		t.Helper()
		if got := pack.Bound(all, 200*time.Millisecond, mixed); got != want {
			t.Errorf("Bound(%v) = %d, want %d", all, got, want)
		}
	}
	f(0, false)
	f(1, false, at(0, "a", "x"))
	f(1, false, at(0, "a", "x"), at(200, "b", "x"))
	f(2, false, at(0, "a", "x"), at(201, "b", "x"))
	f(1, false, at(0, "a", "x"), at(1, "a", "y"))
	six := make([]pack.Arrival, 6)
	for i := range six {
		six[i] = at(i, fmt.Sprint(i), "x")
	}
	f(2, false, six...)
	for i := range six {
		six[i] = at(i, "a", fmt.Sprint(i%2))
	}
	f(2, false, six...) // one entry for each change of speaker
	f(1, true, six...)  // five and one

	// Six entries, of which the sixth comes too late for the first to wait, and
	// four more with it: two requests by number, three by time.
	late := append(slices.Clone(six[:1]), at(199, "b", "x"))
	for i := range 8 {
		late = append(late, at(300+10*i, fmt.Sprint(i), "x"))
	}
	f(3, false, late...)
}

// TestBoundIsBelowEveryPacking holds it against the best of all packings of a
// few arrivals, found by trying.
func TestBoundIsBelowEveryPacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Unix(1573503300, 0)
		all := make([]pack.Arrival, rapid.IntRange(1, 7).Draw(t, "arrivals"))
		for i := range all {
			all[i] = pack.Arrival{
				At:      begin.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "at")) * 100 * time.Millisecond),
				Call:    rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "call"),
				Speaker: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "speaker"),
			}
		}
		slices.SortStableFunc(all, func(a, b pack.Arrival) int { return a.At.Compare(b.At) })
		mixed := rapid.Bool().Draw(t, "mixed")
		if bound, best := pack.Bound(all, 300*time.Millisecond, mixed), fewest(all, nil, mixed); bound > best {
			t.Fatalf("Bound(%v, mixed %v) = %d, and %d requests do", all, mixed, bound, best)
		}
	})
}

// fewest tries every way of dealing arrivals to requests.
func fewest(rest []pack.Arrival, requests [][]pack.Arrival, mixed bool) int {
	if len(rest) == 0 {
		return len(requests)
	}
	best := 1 << 30
	for i := range requests {
		before := requests[i]
		requests[i] = append(slices.Clone(before), rest[0])
		if possible(requests[i], mixed) {
			best = min(best, fewest(rest[1:], requests, mixed))
		}
		requests[i] = before
	}
	return min(best, fewest(rest[1:], append(slices.Clone(requests), []pack.Arrival{rest[0]}), mixed))
}

// possible says whether arrivals may share a request: all are there before the
// first is due, in five entries of five.
func possible(r []pack.Arrival, mixed bool) bool {
	entries := map[string]int{}
	for _, a := range r {
		if a.At.Sub(r[0].At) > 300*time.Millisecond {
			return false
		}
		key := a.Call
		if !mixed {
			key += " " + a.Speaker // more than order allows: the bound must be below this too
		}
		entries[key]++
	}
	n := 0
	for _, messages := range entries {
		n += (messages + 4) / 5
	}
	return n <= 5
}
