package durable_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// A store that a write error has stopped is started anew under a waiting
// Append. What comes then goes into new files.
func TestStoppedStoreIsStartedAnew(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 20, "a", "b")
	rs := drain(t, s)
	settle(t, s, rs[:10], "")
	durable.StopStore(s)
	say(t, s, 21, 40, "a", "b")
	settle(t, s, append(rs[10:], drain(t, s)...), "")
	say(t, s, 41, 50, "a", "b")
	awaitNoted(t, dir, 20)
	if st := s.Stats(); st.Restarts == 0 || len(st.Damage) != 0 || s.Health() != nil {
		t.Errorf("stats %+v, health %v, want a restart and no damage", st, s.Health())
	}
	if found := grep(t, filepath.Join(dir, firstSegment), words("a", 21)); found != "" {
		t.Errorf("%s was written to after the restart", found)
	}
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	wantWhole(t, drain(t, s), 41, 50, "a", "b")
}

// awaitNoted waits until a kill would leave so many records to be sent.
func awaitNoted(t *testing.T, dir string, pending uint64) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		killed := openAt(t, copyOf(t, dir))
		a := killed.Account()
		closeIt(t, killed)
		if a.Pending == pending {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-patience:
			t.Fatalf("after a minute a kill would leave %d pending, want %d", a.Pending, pending)
		}
	}
}

var firstSegment = filepath.Join("jetstream", "$G", "streams", "STENO_SPOOL", "msgs")

// A sync that fails leaves a frame in the file that may never reach the disk.
// JetStream finds it at its next start and remembers its name: that must not
// pass for having stored it.
func TestFrameOfAFailedSyncIsStoredAgain(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	defer closeIt(t, s)
	say(t, s, 1, 5, "a")
	next := record("a", 6)
	durable.StoreUnacknowledged(t, s, next)
	durable.StopStore(s)
	if err := s.Append(t.Context(), []*spool.Record{next}); err != nil {
		t.Fatal(err)
	}
	killed := copyOf(t, dir)
	if err := os.RemoveAll(filepath.Join(killed, firstSegment)); err != nil {
		t.Fatal(err)
	}
	if grep(t, killed, words("a", 6)) == "" {
		t.Error("the frame is only in the file whose sync failed")
	}
	wantWhole(t, drain(t, s), 1, 6, "a")
	again := openAt(t, copyOf(t, dir))
	defer closeIt(t, again)
	wantWhole(t, drain(t, again), 1, 6, "a")
}

// What the disk has lost while the store was stopped is named at once.
func TestLossDuringARestartIsNamed(t *testing.T) {
	f := func(backlog bool) {
		t.Helper()
		dir := t.TempDir()
		s := openAt(t, dir)
		say(t, s, 1, 40, "a")
		if backlog {
			closeIt(t, s)
			s = openAt(t, dir)
		}
		defer closeIt(t, s)
		durable.StopStore(s)
		block := filepath.Join(dir, firstSegment, "1.blk")
		info, err := os.Stat(block)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(block, info.Size()/2); err != nil {
			t.Fatal(err)
		}
		say(t, s, 41, 50, "a", "b")
		st := s.Stats()
		if len(st.Damage) == 0 || st.Damage[0].Last != 40 || s.Health() == nil {
			t.Errorf("stats %+v, health %v, want the loss named up to position 40", st, s.Health())
		}
		got := drain(t, s)
		if lost := s.Stats().Lost; !backlog && (len(got) != 60 || lost != 0) || backlog && uint64(len(got))+lost != 60 {
			t.Errorf("%d read and %d lost of 60; the first 40 on disk only: %v", len(got), lost, backlog)
		}
		if a := s.Account(); a.Accepted != a.Delivered+a.Rejected["lost"]+a.Pending {
			t.Errorf("account %+v does not balance", a)
		}
	}
	f(false)
	f(true)
}
