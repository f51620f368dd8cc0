package spool_test

import (
	"fmt"
	"testing"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/spooltest"
)

func TestMemory(t *testing.T) {
	spooltest.Run(t, func(*testing.T) spool.Spool { return spool.NewMemory() })
}

// go test ./batcher/spool -bench Memory -benchmem
func BenchmarkMemory(b *testing.B) {
	for _, size := range []int{1, 25} {
		b.Run(fmt.Sprintf("group=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			s := spool.NewMemory()
			group := make([]*spool.Record, size)
			for i := range group {
				group[i] = new(spool.Record)
			}
			buf := make([]*spool.Record, size)
			settled := make([]spool.Settlement, size)
			for b.Loop() {
				if err := s.Append(b.Context(), group); err != nil {
					b.Fatal(err)
				}
				n, err := s.Read(b.Context(), buf)
				if err != nil || n != size {
					b.Fatal(n, err)
				}
				for i, r := range buf {
					settled[i] = spool.Settlement{Position: r.Position}
				}
				if err := s.Settle(settled...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
