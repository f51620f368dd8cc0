package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMarkRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := mark{
			call: rapid.IntRange(0, maxCalls-1).Draw(t, "call"), seq: rapid.Uint64Range(1, 1<<40).Draw(t, "seq"),
			due: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "due")) * time.Microsecond, urgent: rapid.Bool().Draw(t, "urgent"),
		}
		if got, ok := parseMark(want.append(nil)); !ok || got != want {
			t.Fatalf("parseMark(%s) = %+v, %v, want %+v", want.append(nil), got, ok, want)
		}
	})
}

func TestForeignMarks(t *testing.T) {
	f := func(id string) {
		t.Helper()
		if m, ok := parseMark([]byte(id)); ok {
			t.Errorf("parseMark(%q) = %+v, want none", id, m)
		}
	}
	f("")
	f("1.2.3")
	f("1.2.3.2")
	f("1.0.3.0")
	f("1.2.3.0.5")
	f("-1.2.3.0")
	f("99999999999.2.3.0")
	f("9f1c2a52-6a0e-8a3e-9d6a-0d2f6c1b7a10")
}

func TestHistogramIsRightToTwoPerCent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var h histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(rng.ExpFloat64() * float64(30*time.Millisecond)).Truncate(time.Microsecond)
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, .1, .5, .9, .99, .999, 1} {
		got, want := h.at(q), all[int(q*float64(len(all)-1))]
		if off := got - want; off < 0 || off > want/50+time.Microsecond {
			t.Errorf("at(%v) = %v, want %v to %v", q, got, want, want+want/50)
		}
	}
	if l := h.latency(); l.Count != 20_000 || l.Max != ms(all[len(all)-1]) {
		t.Errorf("latency() = %+v, want 20,000 and max %v", l, all[len(all)-1])
	}
}

func TestHistogramTakesWhatIsAbsurd(t *testing.T) {
	var h, other histogram
	h.add(-time.Second)
	h.add(1000 * time.Hour)
	other.add(time.Millisecond)
	h.merge(&other)
	if h.count != 3 || h.at(0) > time.Microsecond || h.at(1) < 24*time.Hour || h.max != 1000*time.Hour {
		t.Errorf("%d counted, from %v to %v, at most %v; want 3 from 0 to more than a day, 1000h at most", h.count, h.at(0), h.at(1), h.max)
	}
}
