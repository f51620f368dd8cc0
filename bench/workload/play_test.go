package workload_test

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"example.com/steno/bench/workload"
	"pgregory.net/rapid"
)

// oneDelay makes every endpointing delay the same, so that a play with it is
// determined without its random source.
func oneDelay(d time.Duration) [2]time.Duration { return [2]time.Duration{d, d} }

func ExamplePlay() {
	calls := workload.Builtin()[:1]
	play := workload.Play(calls, workload.PlayOptions{
		Concurrent:    2,
		Duration:      10 * time.Second,
		EndpointDelay: oneDelay(500 * time.Millisecond),
	})
	for a := range play {
		fmt.Printf("%v: call %d, %v: %s\n", a.At, a.Call, a.Role, a.Text)
	}
	// Output:
	// 5.655s: call 0, agent: Kettleby Home Cover, emergencies, you're through to Moira. Is everyone safe there?
	// 5.655s: call 1, agent: Kettleby Home Cover, emergencies, you're through to Moira. Is everyone safe there?
	// 9.875s: call 0, caller: Yeah, yeah, we're safe. We're just freezing. The boiler's packed in.
	// 9.875s: call 1, caller: Yeah, yeah, we're safe. We're just freezing. The boiler's packed in.
}

// modelPlay is Play said slowly, for a fixed delay, no random phase and a
// number of rounds: lay out every slot by itself, then sort.
func modelPlay(calls []workload.Call, opts workload.PlayOptions) []workload.Arrival {
	var all []workload.Arrival
	scale := func(d time.Duration) time.Duration { return time.Duration(float64(d) / opts.Speed) }
	for slot := range opts.Concurrent {
		var began time.Duration
		for round := range opts.Rounds {
			c := calls[(slot+round)%len(calls)]
			us := slices.Clone(c.Utterances)
			slices.SortStableFunc(us, func(a, b workload.Utterance) int { return cmp.Compare(a.End, b.End) })
			var at time.Duration
			for i, u := range us {
				at = began + u.End + opts.EndpointDelay[0]
				a := workload.Arrival{
					Call: slot + round*opts.Concurrent, Slot: slot, Round: round, Recorded: c.ID,
					Utterance: u, Nth: i + 1, First: i == 0, Last: i == len(us)-1,
					Began: scale(began), From: scale(began + u.Start), To: scale(began + u.End), At: scale(at),
				}
				if opts.Duration == 0 || a.At < opts.Duration {
					all = append(all, a)
				}
			}
			began = at
		}
	}
	slices.SortStableFunc(all, func(a, b workload.Arrival) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Slot, b.Slot))
	})
	return all
}

// drawCalls makes up to four calls in which several utterances may end at once.
func drawCalls(t *rapid.T) []workload.Call {
	calls := make([]workload.Call, rapid.IntRange(1, 4).Draw(t, "calls"))
	for i := range calls {
		calls[i].ID = fmt.Sprintf("call %d", i)
		var start time.Duration
		for seq := range rapid.IntRange(1, 6).Draw(t, "utterances") {
			start += time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * time.Second
			end := start + time.Duration(rapid.IntRange(1, 5).Draw(t, "length"))*time.Second
			role := rapid.SampledFrom([]workload.Role{workload.Agent, workload.Caller}).Draw(t, "role")
			calls[i].Utterances = append(calls[i].Utterances, workload.Utterance{
				Seq: seq + 1, Role: role, Start: start, End: end, Text: "words",
			})
		}
	}
	return calls
}

func TestPlayIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := drawCalls(t)
		opts := workload.PlayOptions{
			Concurrent: rapid.IntRange(1, 6).Draw(t, "concurrent"),
			Rounds:     rapid.IntRange(1, 4).Draw(t, "rounds"),
			// Powers of two scale without a rest, so that order is the same
			// before scaling and after.
			Speed:         rapid.SampledFrom([]float64{0.5, 1, 2, 8}).Draw(t, "speed"),
			Duration:      time.Duration(rapid.IntRange(0, 20).Draw(t, "duration")) * time.Second,
			EndpointDelay: oneDelay(time.Duration(rapid.IntRange(1, 3).Draw(t, "delay")) * 500 * time.Millisecond),
		}
		got, want := slices.Collect(workload.Play(calls, opts)), modelPlay(calls, opts)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("Play(%+v, %+v): arrival %d is\n%+v, want\n%+v", calls, opts, i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("Play(%+v, %+v) has %d arrivals, want %d", calls, opts, len(got), len(want))
		}
	})
}

// TestPlayKeepsItsPromises checks what holds for every play, random or not.
func TestPlayKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		least := time.Duration(rapid.IntRange(0, 2000).Draw(t, "least")) * time.Millisecond
		most := least + time.Duration(rapid.IntRange(1, 3000).Draw(t, "spread"))*time.Millisecond
		opts := workload.PlayOptions{
			Concurrent:    rapid.IntRange(1, 8).Draw(t, "concurrent"),
			Seed:          rapid.Uint64().Draw(t, "seed"),
			RandomPhase:   rapid.Bool().Draw(t, "phase"),
			EndpointDelay: [2]time.Duration{least, most},
		}
		before := make(map[int]workload.Arrival) // the last of each slot
		var now time.Duration
		for a := range take(workload.Play(drawCalls(t), opts), 100) {
			if a.At < now {
				t.Fatalf("%+v arrives before %v", a, now)
			}
			if a.Call != a.Slot+a.Round*opts.Concurrent || a.Slot < 0 || a.Slot >= opts.Concurrent {
				t.Fatalf("%+v: its key does not fit %d slots", a, opts.Concurrent)
			}
			if a.From != a.Began+a.Start || a.To != a.Began+a.End || a.At < a.To+least {
				t.Fatalf("%+v: its times do not fit the recording and the least delay %v", a, least)
			}
			prev, seen := before[a.Slot]
			if a.At > max(a.To+most, prev.At) {
				t.Fatalf("%+v arrives more than %v after its end, and after the one before it at %v", a, most, prev.At)
			}
			begins := !seen || prev.Last
			switch {
			case a.First != begins || a.First != (a.Nth == 1):
				t.Fatalf("%+v after %+v: First is wrong", a, prev)
			case begins && seen && (a.Round != prev.Round+1 || a.Began != prev.At):
				t.Fatalf("%+v does not begin where %+v ends", a, prev)
			case !begins && (a.Call != prev.Call || a.Nth != prev.Nth+1 || a.End < prev.End || a.Began != prev.Began):
				t.Fatalf("%+v does not follow %+v", a, prev)
			case !seen && !opts.RandomPhase && a.Began != 0, !seen && a.Began > 0:
				t.Fatalf("%+v: the slot's first call began late", a)
			}
			before[a.Slot], now = a, a.At
		}
	})
}

func take[T any](seq iter.Seq[T], n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		left := n
		for v := range seq {
			if left--; !yield(v) || left == 0 {
				return
			}
		}
	}
}

func TestPlayRepeats(t *testing.T) {
	opts := workload.PlayOptions{Concurrent: 20, Seed: 7, RandomPhase: true, Duration: 5 * time.Minute}
	calls := workload.Builtin()
	play := workload.Play(calls, opts)
	first := slices.Collect(play)
	if len(first) < 1000 {
		t.Fatalf("20 calls for 5 minutes made %d arrivals, want at least 1000", len(first))
	}
	if !slices.Equal(first, slices.Collect(play)) {
		t.Error("a second range over a play differs from the first")
	}
	if !slices.Equal(first, slices.Collect(workload.Play(workload.Builtin(), opts))) {
		t.Error("a second play with the same seed differs from the first")
	}
	if !reflect.DeepEqual(calls, workload.Builtin()) {
		t.Error("playing calls has changed them")
	}
	opts.Seed++
	if slices.Equal(first, slices.Collect(workload.Play(calls, opts))) {
		t.Error("a play with another seed is the same")
	}
}

// What a slot plays does not depend on how many others there are, so a run
// with more calls contains the smaller one.
func TestPlaySlotsAreIndependent(t *testing.T) {
	slotOf := func(concurrent int) (all []workload.Arrival) {
		opts := workload.PlayOptions{Concurrent: concurrent, RandomPhase: true, Duration: 20 * time.Minute}
		for a := range workload.Play(workload.Builtin(), opts) {
			if a.Slot == 3 {
				a.Call = 0 // the only thing that counts the others
				all = append(all, a)
			}
		}
		return all
	}
	if few, many := slotOf(4), slotOf(40); len(few) == 0 || !slices.Equal(few, many) {
		t.Errorf("slot 3 has %d arrivals among 4 slots and %d among 40, want the same ones", len(few), len(many))
	}
}

// With Speed 10 everything is ten times faster, and nothing else is different.
func TestPlaySpeed(t *testing.T) {
	opts := workload.PlayOptions{Concurrent: 5, RandomPhase: true, Duration: 10 * time.Minute}
	slow := slices.Collect(workload.Play(workload.Builtin(), opts))
	opts.Speed, opts.Duration = 10, time.Minute
	fast := slices.Collect(workload.Play(workload.Builtin(), opts))
	if len(slow) != len(fast) || len(slow) == 0 {
		t.Fatalf("%d arrivals in 10 minutes and %d in one at ten times the speed, want as many", len(slow), len(fast))
	}
	for i, s := range slow {
		s.Began, s.From, s.To, s.At = s.Began/10, s.From/10, s.To/10, s.At/10
		if f := fast[i]; f != s {
			t.Fatalf("arrival %d at ten times the speed is %+v, want %+v", i, f, s)
		}
	}
}

func TestPlayDefaults(t *testing.T) {
	calls := workload.Builtin()
	f := func(opts, like workload.PlayOptions) {
		t.Helper()
		got := slices.Collect(take(workload.Play(calls, opts), 500))
		want := slices.Collect(take(workload.Play(calls, like), 500))
		if len(got) != 500 || !slices.Equal(got, want) {
			t.Errorf("Play with %+v differs from that with %+v", opts, like)
		}
	}
	f(workload.PlayOptions{}, workload.PlayOptions{
		Concurrent: len(calls), Speed: 1,
		EndpointDelay: [2]time.Duration{300 * time.Millisecond, 700 * time.Millisecond},
	})
	f(workload.PlayOptions{Concurrent: -1}, workload.PlayOptions{})
	f(workload.PlayOptions{Speed: -1}, workload.PlayOptions{})
	f(workload.PlayOptions{Speed: math.NaN()}, workload.PlayOptions{})
	f(workload.PlayOptions{Speed: math.Inf(1)}, workload.PlayOptions{})
	// A range upside down is its lower end, and no delay is below zero.
	f(workload.PlayOptions{EndpointDelay: [2]time.Duration{5, 3}}, workload.PlayOptions{EndpointDelay: oneDelay(5)})
	f(workload.PlayOptions{EndpointDelay: [2]time.Duration{-5, 0}}, workload.PlayOptions{EndpointDelay: [2]time.Duration{-3, 0}})
}

// Every recorded call is played once and to its end when there is a slot and a
// round for each.
func TestPlayEachCallOnce(t *testing.T) {
	calls := workload.Builtin()
	left := make(map[string]int)
	for _, c := range calls {
		left[c.ID] = len(c.Utterances)
	}
	lasts := 0
	for a := range workload.Play(calls, workload.PlayOptions{Rounds: 1}) {
		left[a.Recorded]--
		if a.Last {
			lasts++
		}
	}
	for id, n := range left {
		if n != 0 {
			t.Errorf("call %s: %d utterances too few", id, n)
		}
	}
	if lasts != len(calls) {
		t.Errorf("%d calls have ended, want %d", lasts, len(calls))
	}
}

// The delays are spread evenly from the least to the most.
func TestPlayEndpointDelays(t *testing.T) {
	var delays []float64 // seconds
	for a := range workload.Play(workload.Builtin(), workload.PlayOptions{Rounds: 1}) {
		delays = append(delays, (a.At - a.To).Seconds())
	}
	slices.Sort(delays)
	f := func(share, want float64) {
		t.Helper()
		if got := delays[int(share*float64(len(delays)-1))]; math.Abs(got-want) > 0.02 {
			t.Errorf("quantile %v of %d delays is %.3f s, want %.3f", share, len(delays), got, want)
		}
	}
	f(0, 0.3)
	f(0.25, 0.4)
	f(0.5, 0.5)
	f(0.75, 0.6)
	f(0.99, 0.7)
}

func TestPlayOfNothing(t *testing.T) {
	for _, calls := range [][]workload.Call{nil, {{ID: "silent"}}} {
		for a := range workload.Play(calls, workload.PlayOptions{Concurrent: 2, RandomPhase: true}) {
			t.Fatalf("Play(%+v) emits %+v, want nothing", calls, a)
		}
	}
	// Calls made by hand may take no time; the play goes on all the same.
	still := []workload.Call{{ID: "still", Utterances: []workload.Utterance{{Seq: 1, Role: workload.Agent, Text: "Hm."}}}}
	opts := workload.PlayOptions{Concurrent: 2, RandomPhase: true, Duration: time.Second, EndpointDelay: [2]time.Duration{-1, 0}}
	if n := len(slices.Collect(workload.Play(still, opts))); n < 1000 || n > 3000 {
		t.Errorf("2 slots with a call of no time make %d arrivals in a second, want one a millisecond each", n)
	}
}
