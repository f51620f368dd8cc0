package durable_test

import (
	"testing"

	"example.com/steno/batcher/spool"
)

// Each synced before it counts; 300 bytes on the disk each.
//
//	go test ./batcher/spool/durable -run '^$' -bench DeadLetters
func BenchmarkDeadLetters(b *testing.B) {
	s := openAt(b, b.TempDir())
	defer closeIt(b, s)
	letters := s.DeadLetters()
	kept := uint64(0)
	keep := func(n uint64) {
		for from := uint64(0); from < n; from += 200 {
			var group []*spool.Record
			for i := range min(200, n-from) {
				group = append(group, record("a", from+i+1))
			}
			if err := s.Append(b.Context(), group); err != nil {
				b.Fatal(err)
			}
		}
		rejectUnkept(b, s, drain(b, s))
		kept += n
		awaitThat(b, "the letters are kept", func() bool { return letters.Kept().Letters >= kept })
	}
	keep(20_000)
	next := spool.LetterID(1)
	ids := func(n int) (some []spool.LetterID) {
		for range n {
			some = append(some, next)
			next++
		}
		kept -= uint64(n)
		return some
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := letters.Get(b.Context(), 20_000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list-20000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, err := range letters.List(b.Context(), spool.LetterFilter{}) {
				if n++; err != nil {
					b.Fatal(err)
				}
			}
			if n != 20_000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("keep-200", func(b *testing.B) {
		for b.Loop() {
			keep(200)
		}
	})
	for name, n := range map[string]int{"drop-1": 1, "drop-500": 500} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got, err := letters.Drop(b.Context(), ids(n)...); err != nil {
					b.Fatal(got, err)
				}
			}
		})
	}
	b.Run("retry-500", func(b *testing.B) {
		for b.Loop() {
			if got, err := letters.Retry(b.Context(), ids(500)...); err != nil {
				b.Fatal(got, err)
			}
		}
	})
}
