package durable_test

import (
	"path/filepath"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// What is written slowly goes into many small files, and nothing is missing.
func TestSmallFiles(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	sayMuch(t, s, 40)
	closeIt(t, s)
	if n := filesIn(t, dir, firstSegment); n < 10 {
		t.Errorf("400 KB are in %d files, want small ones", n)
	}
	s = openAt(t, dir)
	defer closeIt(t, s)
	if got := len(drain(t, s)); got != 40 {
		t.Errorf("%d are read after a restart, want 40", got)
	}
}

// An encrypted file has another one beside it, so there are few.
func TestEncryptedFilesAreLarge(t *testing.T) {
	dir := t.TempDir()
	s := open(t, durable.Config{Dir: dir, Key: "a key"})
	sayMuch(t, s, 40)
	closeIt(t, s)
	if n := filesIn(t, dir, firstSegment); n != 1 {
		t.Errorf("400 KB are in %d encrypted files, want one", n)
	}
}

// What is written fast goes into large files.
func TestFilesByPace(t *testing.T) {
	f := func(bytes int, within time.Duration, small bool) {
		t.Helper()
		if got := durable.SmallFilesAfter(bytes, within); got != small {
			t.Errorf("small files after %d bytes in %v: %v, want %v", bytes, within, got, small)
		}
	}
	f(0, 0, true)
	f(1<<20, time.Millisecond, true)
	f(32<<20, 30*time.Second, true)
	f(32<<20, 3*time.Second, false)
}

// A crash while a segment was begun leaves it with a limit of its size. The
// opening takes that away.
func TestALimitThatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 3, "a")
	durable.LoseTheEndOfARoll(t, s)
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	sayMuch(t, s, 40)
	if got := len(drain(t, s)); got != 43 {
		t.Errorf("%d are read, want 43", got)
	}
}

// sayMuch appends n records of 10 KB.
func sayMuch(t *testing.T, s spool.Spool, n uint64) {
	t.Helper()
	for i := range n {
		r := record("much", i+1)
		r.Message = make([]byte, 10_000)
		if err := s.Append(t.Context(), []*spool.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
}

// filesIn counts the files that JetStream keeps messages in.
func filesIn(t *testing.T, dir, stream string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, stream, "*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}
