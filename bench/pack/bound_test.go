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
		if bound, best := pack.Bound(all, 300*time.Millisecond, mixed), fewest(all, nil, 0, mixed); bound > best {
			t.Fatalf("Bound(%v, mixed %v) = %d, and %d requests do", all, mixed, bound, best)
		}
	})
}

// fewest tries every way of dealing arrivals to requests. of says which request
// each of the first of them is in, of so many.
func fewest(all []pack.Arrival, of []int, requests int, mixed bool) int {
	if len(of) == len(all) {
		return requests
	}
	best := 1 << 30
	for r := range requests + 1 {
		if dealt := append(slices.Clone(of), r); possible(all, dealt, r, mixed) && ordered(all, dealt) {
			best = min(best, fewest(all, dealt, max(requests, r+1), mixed))
		}
	}
	return best
}

// possible says whether those that are in request r may share it: all are there
// before the first is due, in five entries of five.
func possible(all []pack.Arrival, of []int, r int, mixed bool) bool {
	type entry struct {
		speaker  string
		messages int
	}
	open := map[string]*entry{}
	var first time.Time
	entries := 0
	for i, at := range of {
		a := all[i]
		if at != r {
			continue
		}
		if first.IsZero() {
			first = a.At
		}
		e := open[a.Call]
		if e == nil || e.messages == 5 || !mixed && e.speaker != a.Speaker {
			e = &entry{speaker: a.Speaker}
			open[a.Call] = e
			entries++
		}
		e.messages++
		if a.At.Sub(first) > 300*time.Millisecond {
			return false
		}
	}
	return entries <= 5
}

// ordered says whether the requests can go one after the other so that every
// call keeps its order: none is to go before itself.
func ordered(all []pack.Arrival, of []int) bool {
	before := map[[2]int]bool{}
	last := map[string]int{}
	for i, r := range of {
		if prior, ok := last[all[i].Call]; ok && prior != r {
			before[[2]int{prior, r}] = true
		}
		last[all[i].Call] = r
	}
	for via := range len(of) { // what goes before what goes before
		for from := range len(of) {
			for to := range len(of) {
				if before[[2]int{from, via}] && before[[2]int{via, to}] {
					before[[2]int{from, to}] = true
				}
			}
		}
	}
	for r := range len(of) {
		if before[[2]int{r, r}] {
			return false
		}
	}
	return true
}
