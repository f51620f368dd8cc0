package durable_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// One flipped bit in a sequence costs nothing: not the messages behind it, and
// not all the memory there is.
func TestAFlippedSequenceIsMended(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 40, "a")
	closeIt(t, s)
	f := func(message, bit int) {
		t.Helper()
		broken := copyOf(t, dir)
		flipInSequence(t, filepath.Join(broken, firstSegment, "1.blk"), message, bit)
		s := openAt(t, broken)
		defer closeIt(t, s)
		got := len(drain(t, s))
		if st := s.Stats(); got != 40 || len(st.Damage) != 0 || st.StoreErrors == 0 {
			t.Errorf("with bit %d of message %d flipped %d are read, want 40: %+v", bit, message, got, st)
		}
	}
	for _, bit := range []int{0, 1, 5, 20, 28, 36, 60} {
		f(20, bit)
	}
	f(39, 36) // the last: nothing is behind it
}

// flipInSequence flips a bit in the sequence of a message, counted from 0, of a
// file of JetStream's: behind four bytes of length are eight of the sequence.
func flipInSequence(t testing.TB, block string, message, bit int) {
	t.Helper()
	data, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for range message {
		at += int(binary.LittleEndian.Uint32(data[at:]) &^ (1 << 31))
	}
	if got := binary.LittleEndian.Uint64(data[at+4:]); got != uint64(message)+1 {
		t.Fatalf("message %d has the sequence %d", message, got)
	}
	data[at+4+bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(block, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
