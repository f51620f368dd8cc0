package pack_test

import (
	"context"
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
	"example.com/steno/bench/workload"
)

// run is one simulation.
type run struct {
	calls    int
	maxWait  time.Duration
	mixed    bool
	trip     time.Duration // the org's answer time
	duration time.Duration
}

// result is what a run has measured.
type result struct {
	utterances, requests int
	waits                []time.Duration // of each utterance, from its arrival to its request, less the wait for its own lane
	worst                string          // the first breach of a bound; empty: none
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
			if waited := now.Sub(since); waited > o.maxWait {
				o.worst = fmt.Sprintf("an utterance of a free call waited %v", waited)
			}
		}
	}
}

// simulate plays the calls through the batcher.
func simulate(t *testing.T, calls []workload.Call, r run) (res result) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{run: r, freed: map[string]time.Time{}}
		s := spool.NewMemory()
		b := batcher.New(batcher.Config{
			Limits: batcher.Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 1000, MaxWait: r.maxWait, MixSpeakers: r.mixed},
			Spool:  s, Sender: o, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		input, drain := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(input, t.Context()) }()
		begin := time.Now()
		for a := range workload.Play(calls, workload.PlayOptions{Concurrent: r.calls, Seed: 1, Duration: r.duration, RandomPhase: true}) {
			time.Sleep(time.Until(begin.Add(a.At)))
			u := spool.Record{Call: fmt.Sprint(a.Call), Speaker: a.Role.String(), Received: time.Now(), Spoken: begin.Add(a.To)}
			if err := s.Append(t.Context(), []spool.Record{u}); err != nil {
				t.Fatal(err)
			}
		}
		drain()
		if err := <-done; err != nil {
			t.Errorf("%d calls: %v", r.calls, err)
		}
		if a := s.Account(); a.Accepted != a.Delivered || a.Accepted != uint64(o.utterances) {
			t.Errorf("%d calls: account %+v after %d utterances", r.calls, a, o.utterances)
		}
		res = o.result
	})
	return res
}

// perSecond are design.md's measurements of "5 ready or 200 ms" on real calls:
// utterances and requests a second.
var perSecond = []struct {
	calls                int
	utterances, requests float64
}{{10, 2.26, 1.58}, {100, 23.0, 5.1}, {1000, 228, 45.7}}

// TestTable prints what the batcher makes of the recorded calls, and holds it
// against the design's own measurement.
func TestTable(t *testing.T) {
	calls, from, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("calls from %s, org answers after 200 ms, wait 200 ms", from)
	for _, row := range perSecond {
		r := run{calls: row.calls, maxWait: 200 * time.Millisecond, trip: 200 * time.Millisecond, duration: 100_000 * time.Second / time.Duration(row.calls)}
		got := simulate(t, calls, r)
		mean, p99 := quantiles(got.waits)
		ratio := float64(got.utterances) / float64(got.requests)
		t.Logf("%6d calls: %6d utterances, %6d requests, %.2f a request (the design's: %.2f), wait mean %v p99 %v", row.calls,
			got.utterances, got.requests, ratio, row.utterances/row.requests, mean.Round(100*time.Microsecond), p99.Round(100*time.Microsecond))
		if got.worst != "" {
			t.Errorf("%d calls: %s", row.calls, got.worst)
		}
		if row.calls == 1000 && ratio < row.utterances/row.requests*0.98 {
			t.Errorf("%d calls: %.3f utterances a request, want at least %.3f less 2 %%", row.calls, ratio, row.utterances/row.requests)
		}
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
