package workload_test

import (
	"fmt"
	"iter"
	"math"
	"testing"
	"time"

	"example.com/steno/bench/workload"
)

// anyCalls returns the real calls where they are present and the project's
// own elsewhere.
func anyCalls(tb testing.TB) (calls []workload.Call, real bool) {
	tb.Helper()
	calls, from, err := workload.Default(workload.Find())
	if err != nil {
		tb.Fatal(err)
	}
	return calls, from != workload.BuiltinName
}

// A thousand real calls make 0.229 × 1,000 utterances a second, in the first
// minute as in every other: that is what a load generator is for.
func TestRateIsSteadyFromTimeZero(t *testing.T) {
	const concurrent, minutes = 1000, 15
	calls, real := anyCalls(t)
	want := workload.Stats(calls).PerSecond * concurrent
	if real {
		want = 0.229 * concurrent
	}
	var perMinute [minutes]float64
	sum := 0.0
	for a := range workload.Play(calls, workload.PlayOptions{
		Concurrent: concurrent, Seed: 1, RandomPhase: true, Duration: minutes * time.Minute,
	}) {
		perMinute[int(a.At.Minutes())]++
		sum++
	}
	f := func(what string, got float64) {
		t.Helper()
		if math.Abs(got-want) > want*0.05 {
			t.Errorf("%s: %.1f utterances a second, want %.1f within 5%% (real calls: %v)", what, got, want, real)
		}
	}
	f("all the time", sum/minutes/60)
	for m, n := range perMinute {
		f(fmt.Sprintf("minute %d", m+1), n/60)
	}
}

// At any moment Concurrent calls are open: one begins where one ends.
func TestConcurrencyIsKept(t *testing.T) {
	const concurrent = 100
	calls, _ := anyCalls(t)
	open := make(map[int]bool) // the calls that have begun to emit and not ended
	ended := 0
	for a := range workload.Play(calls, workload.PlayOptions{Concurrent: concurrent, Duration: time.Hour}) {
		if open[a.Call] == a.First {
			t.Fatalf("%+v: open is %v and First is %v", a, open[a.Call], a.First)
		}
		open[a.Call] = true
		if a.Last {
			delete(open, a.Call)
			ended++
		}
		if len(open) > concurrent {
			t.Fatalf("%d calls are open at %v, want at most %d", len(open), a.At, concurrent)
		}
	}
	// Every slot is within a call, save those whose new call has not said
	// anything yet.
	if len(open) < concurrent*9/10 {
		t.Errorf("%d calls are open after an hour, want nearly %d", len(open), concurrent)
	}
	if ended < concurrent {
		t.Errorf("%d calls have ended in an hour, want more than %d", ended, concurrent)
	}
}

// Without a random phase all slots begin at zero; with it they are spread over
// their calls from the first moment.
func TestRandomPhaseSpreadsTheCalls(t *testing.T) {
	const concurrent = 1000
	calls, _ := anyCalls(t)
	var began []time.Duration
	joined := make(map[string]int) // slots, by the recorded call that they joined
	for a := range workload.Play(calls, workload.PlayOptions{
		Concurrent: concurrent, RandomPhase: true, Rounds: 1,
	}) {
		if a.First {
			began = append(began, a.Began)
			joined[a.Recorded]++
		}
	}
	if len(began) != concurrent {
		t.Fatalf("%d calls began, want %d", len(began), concurrent)
	}
	// A moment drawn from all recorded time lies, on average, as far into its
	// call as the mean of the squared lengths over twice their mean.
	var sum, length, square float64
	for _, b := range began {
		sum -= b.Seconds()
	}
	for _, c := range calls {
		l := c.Length().Seconds()
		length += l
		square += l * l
	}
	if got, want := sum/concurrent, square/length/2; math.Abs(got-want) > want*0.1 {
		t.Errorf("calls are %.1f s old at time zero on average, want %.1f within 10%%", got, want)
	}
	// No part of the recording is out of reach.
	for _, c := range calls {
		share := concurrent * c.Length().Seconds() / length
		if n := joined[c.ID]; n == 0 || float64(n) > 3*share {
			t.Errorf("call %s is joined by %d slots, want about %.0f", c.ID, n, share)
		}
	}
}

// The stream is lazy: what 20,000 calls need is there at the first arrival,
// and hours of play take no more.
func TestPlayTakesNoMemoryAsItGoes(t *testing.T) {
	calls, _ := anyCalls(t)
	next, stop := iter.Pull(workload.Play(calls, workload.PlayOptions{Concurrent: 20_000, RandomPhase: true, Speed: 100}))
	defer stop()
	next()
	if got := testing.AllocsPerRun(20_000, func() { next() }); got != 0 {
		t.Errorf("an arrival takes %v allocations, want none", got)
	}
}

// BenchmarkPlay measures one arrival out of many concurrent calls.
//
//	go test -run '^$' -bench Play -count 6 ./bench/workload
func BenchmarkPlay(b *testing.B) {
	calls := workload.Builtin()
	for _, size := range []struct {
		name       string
		concurrent int
	}{{"100", 100}, {"1000", 1000}, {"20000", 20_000}} {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			next, stop := iter.Pull(workload.Play(calls, workload.PlayOptions{Concurrent: size.concurrent, RandomPhase: true}))
			defer stop()
			next()
			for b.Loop() {
				next()
			}
		})
	}
}

// BenchmarkBuiltin measures what a program pays for the embedded calls.
func BenchmarkBuiltin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		workload.Builtin()
	}
}
