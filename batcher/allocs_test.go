package batcher

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher/spool"
)

// fiveByFive is what fills a request: five calls with five utterances each.
func fiveByFive(now time.Time) []*spool.Record {
	var rs []*spool.Record
	for i := range 25 {
		call := fmt.Sprint("call-", i%5)
		rs = append(rs, &spool.Record{Position: spool.Position(i + 1), Call: call, Speaker: call + "x", Received: now})
	}
	return rs
}

// accepts is the outcome of a request that is accepted whole.
func accepts(now time.Time, r Request) Outcome {
	o := Outcome{Written: now, Answered: now, Results: make([]Result, len(r.Entries))}
	for i := range o.Results {
		o.Results[i].Verdict = Deliver
	}
	return o
}

// TestPackerAllocations: allocations are exact where times are not, so a
// regression of these shows in the gate. An utterance is one; a call in which
// nothing waited before is one, its entry.
func TestPackerAllocations(t *testing.T) {
	const utterances, calls = 25, 5
	const request, outcome, settled = 2, 1, 1 // a request is itself and its list of entries
	b := newBench(t, limits)
	rs := fiveByFive(b.now)
	round := func() {
		for _, r := range rs {
			b.p.add(b.now, r)
		}
		r, due := b.p.next(b.now)
		if !due || r.Messages() != len(rs) {
			t.Fatalf("a request of %d messages, want %d", r.Messages(), len(rs))
		}
		if got := b.p.done(b.now, r, accepts(b.now, r)); len(got) != len(rs) {
			t.Fatalf("%d settled, want %d", len(got), len(rs))
		}
	}
	if got, most := testing.AllocsPerRun(1000, round), float64(utterances+calls+request+outcome+settled); got > most {
		t.Errorf("%d utterances through the packer cost %v allocations, want at most %v", len(rs), got, most)
	}
}

// yesSender accepts all, at once.
type yesSender struct{}

func (yesSender) Send(_ context.Context, r Request) Outcome { return accepts(time.Now(), r) }

// TestBatcherAllocations: from the spool to being settled, the batcher adds
// nothing to what the packer allocates.
func TestBatcherAllocations(t *testing.T) {
	const packed = 34 // and less than one more of the spool's blocks
	kept, settled := spool.NewMemory(), make(chan int, 1)
	b := New(Config{
		Limits: limits, Spool: kept, Sender: yesSender{}, OnTaken: func([]*Utterance) {}, OnSettled: func(all []Settled) { settled <- len(all) },
		Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
	})
	input, drain := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(input, t.Context()) }()
	rs := fiveByFive(time.Now())
	round := func() {
		if err := kept.Append(t.Context(), rs); err != nil {
			t.Fatal(err)
		}
		if n := <-settled; n != len(rs) {
			t.Fatalf("%d settled, want %d", n, len(rs))
		}
	}
	if got := testing.AllocsPerRun(1000, round); got > packed {
		t.Errorf("%d utterances through the batcher cost %v allocations, want at most %d", len(rs), got, packed)
	}
	drain()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
