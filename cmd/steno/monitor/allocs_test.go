package monitor

import (
	"fmt"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/sfclient"
)

// TestAllocations: once a few have gone the same way, nothing is allocated for
// an utterance on all of it.
func TestAllocations(t *testing.T) {
	m := New(Config{Metrics: metrics.NewSet(), Company: func() time.Duration { return 0 }})
	now := time.Now()
	var taken []*batcher.Utterance
	var r batcher.Request
	o := batcher.Outcome{Written: now, Answered: now}
	var settled []batcher.Settled
	for i := range 25 {
		message := sfclient.Message{MessageID: fmt.Sprint(i), SenderType: sfclient.EndUser, Content: "Hello"}
		record := &spool.Record{
			Position: spool.Position(i), Call: fmt.Sprint("call-", i/5), Stream: spool.StreamID{ID: "leg"},
			Spoken: now, Received: now, Message: message.Append(nil),
		}
		u := &batcher.Utterance{Record: record, Attempts: 1}
		if i%5 == 0 {
			r.Entries = append(r.Entries, batcher.Entry{Call: record.Call})
			o.Results = append(o.Results, batcher.Result{Verdict: batcher.Deliver})
		}
		e := &r.Entries[i/5]
		e.Utterances = append(e.Utterances, u)
		taken, settled = append(taken, u), append(settled, batcher.Settled{Utterance: u, Answered: now})
	}
	round := func() {
		m.Taken(taken)
		m.Sending(r)
		m.Answered(r, o)
		m.Settled(settled)
	}
	for range maxSaid { // until every call has heard as much as it keeps
		round()
	}
	if got := testing.AllocsPerRun(1000, round); got > 0 {
		t.Errorf("the books of %d utterances cost %v allocations, want none", len(taken), got)
	}
}
