package pack_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/bench/pack"
	"example.com/steno/bench/workload"
	"example.com/steno/cmd/steno/cluster"
)

// run is one simulation.
type run struct {
	calls    int
	maxWait  time.Duration
	mixed    bool
	trip     time.Duration // the org's answer time
	duration time.Duration
	stretch  time.Duration // how far the wait may be stretched; zero: never
	budget   int64         // requests a day; zero: unknown

	partitions int // of the calls, each with a batcher of its own; zero: one
}

// longest is the longest that an utterance of a free call may wait.
func (r run) longest() time.Duration { return max(r.maxWait, r.stretch) }

// result is what a run has measured.
type result struct {
	utterances, requests int
	waits                []time.Duration // of each utterance, from its arrival to its request, less the wait for its own lane
	arrivals             []pack.Arrival
	worst                string // the first breach of a bound; empty: none
}

// org counts requests and answers each after trip.
type org struct {
	run
	mu sync.Mutex
	result
	freed map[string]time.Time // when a call's lane was last freed
}

func (o *org) Send(_ context.Context, r batcher.Request) batcher.Outcome {
	out := batcher.Outcome{Written: time.Now(), Results: make([]batcher.Result, len(r.Entries))}
	o.mu.Lock()
	o.requests++
	o.observe(out.Written, r)
	o.mu.Unlock()

	time.Sleep(o.trip)
	out.Answered = time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range r.Entries {
		out.Results[i].Verdict = batcher.Deliver
		o.freed[e.Call] = out.Answered
	}
	return out
}

// observe books what each utterance has waited, and holds the bounds of P5 and
// P6 against it.
func (o *org) observe(now time.Time, r batcher.Request) {
	if len(r.Entries) > 5 {
		o.worst = fmt.Sprintf("a request of %d entries", len(r.Entries))
	}
	for _, e := range r.Entries {
		if len(e.Utterances) > 5 {
			o.worst = fmt.Sprintf("an entry of %d messages", len(e.Utterances))
		}
		for _, u := range e.Utterances {
			o.utterances++
			since := u.Received
			if freed := o.freed[u.Call]; freed.After(since) {
				since = freed
			}
			o.waits = append(o.waits, now.Sub(since))
			if waited := now.Sub(since); waited > o.longest() {
				o.worst = fmt.Sprintf("an utterance of a free call waited %v", waited)
			}
		}
	}
}

// simulate plays the calls through the batchers of all partitions.
func simulate(t *testing.T, calls []workload.Call, r run) (res result) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{run: r, freed: map[string]time.Time{}}
		begin := time.Now()
		input, drain := context.WithCancel(t.Context())
		done := make(chan error)
		spools := make([]*spool.Memory, max(r.partitions, 1))
		for i := range spools {
			spools[i] = spool.NewMemory()
			b := batcher.New(batcher.Config{
				Limits: batcher.Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 1000, MaxWait: r.maxWait, StretchWait: r.longest(), MixSpeakers: r.mixed},
				Spool:  spools[i], Sender: o, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			go func() { done <- b.Run(input, t.Context()) }()
			if r.budget > 0 {
				b.Learn(batcher.Usage{Max: r.budget, At: begin})
			}
		}
		arrivals := play(t, calls, r, spools)
		drain()
		for range spools {
			if err := <-done; err != nil {
				t.Errorf("%d calls: %v", r.calls, err)
			}
		}
		var accepted, delivered uint64
		for _, s := range spools {
			accepted, delivered = accepted+s.Account().Accepted, delivered+s.Account().Delivered
		}
		if accepted != delivered || accepted != uint64(o.utterances) {
			t.Errorf("%d calls: %d accepted, %d delivered, %d sent", r.calls, accepted, delivered, o.utterances)
		}
		res = o.result
		res.arrivals = arrivals
	})
	return res
}

// play appends each utterance, when it comes, to the spool of its call's
// partition.
func play(t *testing.T, calls []workload.Call, r run, spools []*spool.Memory) (arrivals []pack.Arrival) {
	begin := time.Now()
	for a := range workload.Play(calls, workload.PlayOptions{Concurrent: r.calls, Seed: 1, Duration: r.duration, RandomPhase: true}) {
		time.Sleep(time.Until(begin.Add(a.At)))
		u := &spool.Record{Call: fmt.Sprint(a.Call), Speaker: a.Role.String(), Received: time.Now(), Spoken: begin.Add(a.To)}
		arrivals = append(arrivals, pack.Arrival{At: u.Received, Call: u.Call, Speaker: u.Speaker})
		if err := spools[cluster.PartitionOf("", u.Call, len(spools)).Number].Append(t.Context(), []*spool.Record{u}); err != nil {
			t.Fatal(err)
		}
	}
	return arrivals
}

var sweep = flag.Bool("sweep", false, "play many numbers of calls, waits and rules")

// TestTable prints what the batcher makes of the recorded calls beside the
// bound, and holds it to what is asked of "5 ready or 200 ms".
func TestTable(t *testing.T) {
	calls, from, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("calls from %s", from)
	t.Logf("%6s %6s %7s %6s %11s %9s %9s %7s %9s %7s %9s %9s", "calls", "wait", "entries", "trip", "utterances", "requests", "bound", "above", "simple", "above", "mean", "p99")
	row := func(r run, atMost float64) {
		t.Helper()
		got := simulate(t, calls, r)
		bound := pack.Bound(got.arrivals, r.maxWait, r.mixed)
		simple := pack.Simple(got.arrivals, r.maxWait, r.mixed)
		above := float64(got.requests)/float64(bound) - 1
		mean, p99 := quantiles(got.waits)
		of := map[bool]string{true: "mixed", false: "one"}[r.mixed]
		t.Logf("%6d %6v %7s %6v %11d %9d %9d %6.1f%% %9d %6.1f%% %9v %9v", r.calls, r.maxWait, of, r.trip, got.utterances, got.requests, bound, 100*above,
			simple, 100*(float64(got.requests)/float64(simple)-1), mean.Round(100*time.Microsecond), p99.Round(100*time.Microsecond))
		if got.worst != "" {
			t.Errorf("%+v: %s", r, got.worst)
		}
		if above > atMost {
			t.Errorf("%+v: %.1f %% above the bound, want at most %.0f %%", r, 100*above, 100*atMost)
		}
	}
	const any = 1000
	for _, calls := range []int{10, 100, 1000} {
		atMost := map[int]float64{10: .01, 100: .02, 1000: .01}[calls]
		row(run{calls: calls, maxWait: 200 * time.Millisecond, duration: 100_000 * time.Second / time.Duration(calls)}, atMost)
		// Against an org that takes its time the bound is only nearly one: a
		// call may not send while its last request is under way.
		row(run{calls: calls, maxWait: 200 * time.Millisecond, trip: 200 * time.Millisecond, duration: 100_000 * time.Second / time.Duration(calls)}, any)
	}
	if !*sweep {
		return
	}
	for _, calls := range []int{10, 100, 300, 1000, 10_000, 100_000} {
		for _, wait := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, time.Second, 5 * time.Second} {
			for _, mixed := range []bool{false, true} {
				row(run{calls: calls, maxWait: wait, mixed: mixed, duration: max(20*time.Second, 400_000*time.Second/time.Duration(calls))}, any)
			}
		}
	}
}

// TestBudgetPacing plays an org whose daily requests are short: the wait is
// stretched, and what is saved comes near the bound of the longest wait.
func TestBudgetPacing(t *testing.T) {
	if !*sweep {
		t.Skip("takes seconds: -sweep")
	}
	calls, _, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	r := run{calls: 100, maxWait: 200 * time.Millisecond, stretch: 5 * time.Second, trip: 200 * time.Millisecond, duration: 2 * time.Hour}
	free := simulate(t, calls, r)
	r.budget = 150_000 // a day; unpaced it would be some 440,000
	paced := simulate(t, calls, r)
	mean, p99 := quantiles(paced.waits)
	t.Logf("100 calls: %d utterances in %d requests; with %d requests a day in %d, wait mean %v p99 %v; the bound of 5 s is %d", free.utterances, free.requests,
		r.budget, paced.requests, mean.Round(time.Millisecond), p99.Round(time.Millisecond), pack.Bound(paced.arrivals, r.stretch, false))
	if paced.requests >= free.requests*9/10 || paced.utterances != free.utterances {
		t.Errorf("%d requests where they are short, want clearly fewer than %d", paced.requests, free.requests)
	}
	if paced.worst != "" {
		t.Errorf("%s", paced.worst)
	}
}

func quantiles(ds []time.Duration) (mean, p99 time.Duration) {
	slices.Sort(ds)
	var sum time.Duration
	for _, d := range ds {
		sum += d
	}
	return sum / time.Duration(len(ds)), ds[len(ds)*99/100]
}

// TestBounds plays other waits, speeds and rules; the bounds hold in each.
func TestBounds(t *testing.T) {
	calls, _, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	for _, wait := range []time.Duration{0, 50 * time.Millisecond, time.Second, 5 * time.Second} {
		for _, mixed := range []bool{false, true} {
			for _, trip := range []time.Duration{0, 100 * time.Millisecond, 3 * time.Second} {
				r := run{calls: 50, maxWait: wait, mixed: mixed, trip: trip, duration: 2 * time.Minute}
				if got := simulate(t, calls, r); got.worst != "" || got.utterances == 0 {
					t.Errorf("%+v: %d utterances, %s", r, got.utterances, got.worst)
				}
			}
		}
	}
}
