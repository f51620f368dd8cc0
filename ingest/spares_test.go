package ingest

import (
	"log/slog"
	"slices"
	"testing"

	"example.com/steno/batcher/spool"
	"github.com/VictoriaMetrics/metrics"
)

// A turn's memory waits for the next turn without what was said.
func TestSpareTurnIsEmpty(t *testing.T) {
	s := New(Config{}, spool.NewMemory(), metrics.NewSet(), slog.New(slog.DiscardHandler))
	c := s.newConnection(nil)
	said := &spool.Record{Call: "k", MessageID: "m", Message: []byte("{}")}
	steps, records := []step{{body: []byte(pong)}}, []*spool.Record{said, said, said}
	used := turn{steps: steps, records: records}
	if !c.store(&used) {
		t.Fatal("the turn was not stored")
	}
	s.spares.putTurn(&used)
	isThere := func(r *spool.Record) bool { return r != nil }
	if len(used.records)+len(used.steps) != 0 || slices.ContainsFunc(records, isThere) || steps[0].body != nil {
		t.Errorf("%d records and %d steps are left, of which there is %+v and %+v", len(used.records), len(used.steps), records, steps)
	}
}
