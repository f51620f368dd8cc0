package orgsim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What is kept for a request goes with it: a load run has millions.
func TestNothingIsLeftOfRequests(t *testing.T) {
	o := New(Config{})
	for i := range 100 {
		body := fmt.Appendf(nil, `{"voiceCallId":"k%d"}`, i)
		first, second := o.arrive(CreateTranscriptMessage, body), o.arrive(CreateTranscriptMessage, body)
		o.leave(first, reply{status: 404})
		o.leave(second, reply{cut: true})
	}
	if len(o.lanes) != 0 || o.inFlight != 0 || len(o.calls) != 0 {
		t.Errorf("left: %d lanes, %d in flight, %d calls; want none", len(o.lanes), o.inFlight, len(o.calls))
	}
	if got := o.Ledger().MaxInFlightPerCall; got != 2 {
		t.Errorf("most in flight of one call: got %d, want 2", got)
	}
}

// A window forgets an event between one span and one bucket more after it,
// whatever gaps lie between events.
func TestWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const span, bucket = time.Minute, 2 * time.Second
	w := newWindow(span, int(span/bucket))
	now := time.UnixMilli(1573503300000)
	var events []time.Time
	within := func(d time.Duration) int {
		n := 0
		for _, at := range events {
			if now.Sub(at) < d {
				n++
			}
		}
		return n
	}
	for step := range 1500 {
		gap := random.Int64N(int64(3 * time.Second))
		if random.IntN(50) == 0 {
			gap = random.Int64N(int64(3 * span))
		}
		now = now.Add(time.Duration(gap))
		if random.IntN(2) == 0 {
			w.add(now)
			events = append(events, now)
		}
		if got := w.count(now); got < within(span) || got > within(span+bucket) {
			t.Fatalf("step %d: counts %d events, want %d to %d", step, got, within(span), within(span+bucket))
		}
	}
}

// A quantile is at most one 32nd above the exact one, and never below it.
func TestHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	var h histogram
	var exact []int64
	for range 20000 {
		v := random.Int64N(1 << random.IntN(40))
		h.add(v)
		exact = append(exact, v)
	}
	slices.Sort(exact)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.9999} {
		want := exact[int(q*float64(len(exact)))]
		if got := h.quantile(q); got < want || got > want+want/32+1 {
			t.Errorf("quantile %v: got %d, want %d or at most a 32nd more", q, got, want)
		}
	}
	if got, want := h.latency().MaxMS, exact[len(exact)-1]; got != want {
		t.Errorf("max: got %d, want %d", got, want)
	}
}

// Every value lies in a bucket whose highest value is not below it, and
// buckets follow each other without a hole.
func TestHistogramBuckets(t *testing.T) {
	var h histogram
	for i := range h.counts {
		if top := highest(i); bucketOf(uint64(top)) != i {
			t.Fatalf("bucket %d: its highest value %d falls into %d", i, top, bucketOf(uint64(top)))
		}
		if i+1 < len(h.counts) && bucketOf(uint64(highest(i))+1) != i+1 {
			t.Fatalf("bucket %d: the value after its highest falls into %d", i, bucketOf(uint64(highest(i))+1))
		}
	}
	h.add(-5)
	h.add(1<<63 - 1)
	if got := h.latency(); got.Messages != 2 || got.MaxMS != 1<<63-1 || got.P50MS != 1<<63-1 {
		t.Errorf("extremes: got %+v", got)
	}
	if got := (&histogram{}).latency(); got != (Latency{}) {
		t.Errorf("empty: got %+v, want nothing", got)
	}
}
