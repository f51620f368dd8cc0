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

// TestAllocations: of each utterance two things are kept, what was said and its
// journey, and nothing else is allocated for it on its whole way.
func TestAllocations(t *testing.T) {
	m := New(Config{Metrics: metrics.NewSet(), Company: func() time.Duration { return 0 }})
	now := time.Now()
	var records []spool.Record
	var r batcher.Request
	var settled []batcher.Settled
	for i := range 25 {
		message := sfclient.Message{MessageID: fmt.Sprint(i), SenderType: sfclient.EndUser, Content: "Hello"}
		record := spool.Record{
			Position: spool.Position(i), Call: fmt.Sprint("call-", i/5), Stream: spool.StreamID{ID: "leg"},
			Spoken: now, Received: now, Message: message.Append(nil),
		}
		u := &batcher.Utterance{Record: record, Attempts: 1}
		if i%5 == 0 {
			r.Entries = append(r.Entries, batcher.Entry{Call: record.Call})
		}
		e := &r.Entries[i/5]
		e.Utterances = append(e.Utterances, u)
		records, settled = append(records, record), append(settled, batcher.Settled{Utterance: u, Answered: now})
	}
	round := func() {
		m.Read(records)
		m.Sending(r)
		m.Answered(r, batcher.Outcome{Written: now, Answered: now})
		m.Settled(settled)
	}
	if got := testing.AllocsPerRun(1000, round); got > float64(2*len(records)) {
		t.Errorf("the books of %d utterances cost %v allocations, want at most 2 of each", len(records), got)
	}
}
