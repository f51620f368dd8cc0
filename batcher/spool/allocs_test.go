package spool_test

import (
	"testing"

	"example.com/steno/batcher/spool"
)

// TestAllocations: allocations are exact where times are not, so a regression
// of these shows in the gate.
func TestAllocations(t *testing.T) {
	const size = 25
	s := spool.NewMemory()
	group, buf, settled := make([]*spool.Record, size), make([]*spool.Record, size), make([]spool.Settlement, size)
	for i := range group {
		group[i] = new(spool.Record)
	}
	round := func() {
		if err := s.Append(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		n, err := s.Read(t.Context(), buf)
		if err != nil || n != size {
			t.Fatal(n, err)
		}
		for i := range buf {
			settled[i] = spool.Settlement{Position: buf[i].Position}
		}
		if err := s.Settle(settled...); err != nil {
			t.Fatal(err)
		}
	}
	// A block of 256 records is one allocation, and the list of blocks another
	// now and then: less than one in a round of 25.
	if got := testing.AllocsPerRun(1000, round); got > 0 {
		t.Errorf("%d records through the spool cost %v allocations, want less than 1", size, got)
	}
}
