package durable_test

import (
	"context"
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
			said, group := make([]spool.Record, size), make([]*spool.Record, size)
			for i := range said {
				said[i] = *record(fmt.Sprint("call-", a), uint64(i+1))
				said[i].Message = make([]byte, 300)
			}
			for i := a; i < b.N; i += appenders {
				for i := range said {
					group[i] = new(said[i])
				}
				begun := time.Now()
				if err := s.Append(b.Context(), group); err != nil {
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

// BenchmarkErasing is what the erasing costs: 1,000 calls speak five times a
// second each, all but one are settled at once. "erasing" has utterances that
// were received long ago, so that a segment is begun and packed every two
// seconds in place of every thirty.
//
//	go test ./batcher/spool/durable -run '^$' -bench Erasing -benchtime 100000x
func BenchmarkErasing(b *testing.B) {
	for name, age := range map[string]time.Duration{"not yet": 0, "erasing": time.Hour} {
		b.Run(name, func(b *testing.B) {
			s := openAt(b, b.TempDir())
			defer s.Close()
			ctx, stop := context.WithCancel(b.Context())
			var settler sync.WaitGroup
			settler.Go(func() { settleAllButOne(ctx, s) })
			took := speakPaced(b, s, age)
			stop()
			settler.Wait()
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(s.Stats().Segments), "segments")
		})
	}
}

func speakPaced(b *testing.B, s spool.Spool, age time.Duration) []time.Duration {
	const calls, pause = 1000, 200 * time.Millisecond
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	begun := time.Now()
	for call := range calls {
		wg.Go(func() {
			for i := call; i < b.N; i += calls {
				due := begun.Add(time.Duration(i) * pause / calls)
				<-time.After(time.Until(due))
				r := record(fmt.Sprint("call-", call), uint64(i/calls+1))
				r.Received = due.Add(-age)
				if err := s.Append(b.Context(), []*spool.Record{r}); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(due)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// settleAllButOne leaves one call waiting, for the packing to have something to
// copy.
func settleAllButOne(ctx context.Context, s spool.Spool) {
	buf := make([]*spool.Record, 256)
	for {
		n, err := s.Read(ctx, buf)
		for _, r := range buf[:n] {
			if r.Call != "call-0" {
				_ = s.Settle(spool.Settlement{Position: r.Position})
			}
		}
		if err != nil {
			return
		}
	}
}
