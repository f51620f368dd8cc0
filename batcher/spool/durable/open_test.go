package durable_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/steno/batcher/spool/durable"
)

// An Open whose ctx is done at any moment of it fails with ctx's error or
// works, leaves the directory to the next one, and loses nothing.
func TestOpenHeedsItsContext(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 200, "a")
	closeIt(t, s)
	given := 0
	for patience := time.Duration(0); ; patience += 300 * time.Microsecond {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		s, err := durable.Open(ctx, durable.Config{Dir: dir})
		cancel()
		if err == nil {
			wantWhole(t, drain(t, s), 1, 200, "a")
			closeIt(t, s)
			break
		}
		given++
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Open that may take %v: %v", patience, err)
		}
	}
	if given == 0 {
		t.Error("Open heeds no context")
	}
}
