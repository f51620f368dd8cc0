package durable_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

// BenchmarkAppend is synced appends by many connections at once. A connection
// appends what it received while its last append was under way: group is how
// much that is.
//
//	go test ./batcher/spool/durable -run '^$' -bench Append -benchmem
func BenchmarkAppend(b *testing.B) {
	for _, bb := range []struct{ appenders, group int }{{1, 1}, {64, 1}, {1000, 1}, {1000, 10}} {
		b.Run(fmt.Sprintf("appenders=%d/group=%d", bb.appenders, bb.group), func(b *testing.B) {
			b.ReportAllocs()
			s := openAt(b, b.TempDir())
			defer s.Close()
			took := appendAll(b, s, bb.appenders, bb.group)
			b.ReportMetric(float64(b.N*bb.group)/b.Elapsed().Seconds(), "utterances/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// appendAll appends b.N groups and returns how long each took, sorted.
func appendAll(b *testing.B, s spool.Spool, appenders, size int) []time.Duration {
	var wg sync.WaitGroup
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for a := range appenders {
		wg.Go(func() {
			group := make([]spool.Record, size)
			for i := range group {
				group[i] = record(fmt.Sprint("call-", a), uint64(i+1))
				group[i].Message = make([]byte, 300)
			}
			for i := a; i < b.N; i += appenders {
				begun := time.Now()
				if err := s.Append(b.Context(), slices.Clone(group)); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(begun)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	return took
}
