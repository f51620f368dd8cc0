package durable_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool/durable"
)

// What is missing counts where the books have it. A frame behind them could not
// be written and was never acknowledged.
func TestHoles(t *testing.T) {
	f := func(inBooks, inStore uint64, deleted, want int) {
		t.Helper()
		got := durable.Holes(inBooks, jetstream.StreamState{FirstSeq: 1, LastSeq: inStore, NumDeleted: deleted})
		if got != want {
			t.Errorf("%d are missing up to %d, of which the books have %d: %d holes, want %d", deleted, inStore, inBooks, got, want)
		}
	}
	f(40, 40, 0, 0)
	f(40, 40, 2, 2)
	f(41, 40, 1, 1) // one more since the state was asked for
	f(40, 41, 1, 0)
	f(40, 41, 3, 2)
	f(40, 42, 1, 0) // the other one is there, and was not acknowledged
}
