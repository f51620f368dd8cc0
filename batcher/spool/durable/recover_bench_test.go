package durable_test

import (
	"fmt"
	"testing"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// BenchmarkRecovery opens a spool of a million waiting utterances, each written
// in a frame of its own as 1,000 calls write them, and reads the first. Making
// the spool takes a minute or two; the frames metric says how many the packing
// has left of the million.
//
//	go test ./batcher/spool/durable -run '^$' -bench Recovery -benchtime 3x
func BenchmarkRecovery(b *testing.B) {
	const waiting = 1_000_000
	dir := b.TempDir()
	s, err := durable.Open(b.Context(), durable.Config{Dir: dir, Sync: durable.SyncInterval})
	if err != nil {
		b.Fatal(err)
	}
	for n := range uint64(waiting) {
		r := record(fmt.Sprint("call-", n%1000), n/1000+1)
		if err := s.Append(b.Context(), []*spool.Record{r}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	frames := uint64(0)
	for b.Loop() {
		s := openAt(b, dir)
		if n, err := s.Read(b.Context(), make([]*spool.Record, 1)); err != nil || n != 1 {
			b.Fatal(n, err)
		}
		b.StopTimer()
		frames = s.Stats().Frames
		if a := s.Account(); a.Pending != waiting {
			b.Fatalf("%d are pending, want %d", a.Pending, waiting)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(frames), "frames")
}
