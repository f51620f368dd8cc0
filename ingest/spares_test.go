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
	used := turn{steps: []step{{body: []byte(pong)}}, records: []*spool.Record{said, said, said}}
	if !c.store(&used) {
		t.Fatal("the turn was not stored")
	}
	s.spares.putTurn(&used)
	isThere := func(r *spool.Record) bool { return r != nil }
	if left := used.records[:3]; len(used.records) != 0 || slices.ContainsFunc(left, isThere) || used.steps[0].body != nil {
		t.Errorf("%d records are left, of which there is %+v, and %+v", len(used.records), left, used.steps)
	}
}
