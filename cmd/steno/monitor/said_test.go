package monitor

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// U1, U2: a call shows its last utterances, in their order, and an utterance is
// found by its number for as long as it is among them.
func TestLastSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l lastSaid
		var want []int // by number: the tries that were noted
		for range rapid.IntRange(0, 4*maxSaid).Draw(t, "utterances") {
			if got := l.add(said{tries: int32(len(want))}); got != len(want) {
				t.Fatalf("U1: number %d, want %d", got, len(want))
			}
			want = append(want, len(want))
			number := rapid.IntRange(0, len(want)-1).Draw(t, "number")
			s := l.at(number)
			if kept := number >= len(want)-maxSaid; kept != (s != nil) {
				t.Fatalf("U1: of %d utterances number %d is there: %t, want %t", len(want), number, s != nil, kept)
			}
			if s != nil {
				s.tries += 100
				want[number] += 100
			}
			if most := min(maxSaid, 2*len(want)); cap(l.ring) > most {
				t.Fatalf("U2: room for %d after %d utterances, want at most %d", cap(l.ring), len(want), most)
			}
		}
		n := rapid.IntRange(0, maxSaid).Draw(t, "n")
		var got []int
		l.last(n, func(s *said) { got = append(got, int(s.tries)) })
		if want = want[max(0, len(want)-n):]; !slices.Equal(got, want) {
			t.Fatalf("the last %d are %v, want %v", n, got, want)
		}
	})
}

// A stamp says of a time what people are shown of it.
func TestStamp(t *testing.T) {
	if got := stampOf(time.Time{}); got != 0 || got.millis() != 0 {
		t.Errorf("no time has the stamp %d, want 0", got)
	}
	at := noon.Add(123456 * time.Microsecond)
	if s := stampOf(at); s.millis() != at.UnixMilli() || !s.time().Equal(at) {
		t.Errorf("the stamp of %v says %v and %d ms", at, s.time(), s.millis())
	}
}

// Y1, Y2: those under way are those that were begun and not ended, and what is
// kept beyond them is bounded.
func TestJourneys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var js journeys
		var want []*journey
		for n := range rapid.IntRange(0, 60).Draw(t, "steps") {
			if len(want) == 0 || rapid.Bool().Draw(t, "another begins") {
				want = append(want, js.begin(journey{number: int32(n)}))
			} else {
				at := rapid.IntRange(0, len(want)-1).Draw(t, "ends")
				js.end(want[at])
				want = slices.Delete(want, at, at+1)
			}
			if len(js.under) != len(want) {
				t.Fatalf("%d are under way, want %d", len(js.under), len(want))
			}
			for _, j := range want {
				if js.under[j.place] != j {
					t.Fatalf("Y1: number %d is not at its place", j.number)
				}
			}
		}
	})
	var js journeys
	for range 2 * maxSpare {
		js.begin(journey{})
	}
	for len(js.under) > 0 {
		js.end(js.under[0])
	}
	if len(js.spare) != maxSpare {
		t.Errorf("Y2: %d are kept after a backlog, want %d", len(js.spare), maxSpare)
	}
}
