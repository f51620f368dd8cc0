package durable

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool"
)

// TidyNow has the tidy loop do its work as for a full spool, twice: the second
// time it finds the segment closed that the first one wanted closed.
func TidyNow(s *Spool) {
	tidy := func() {
		for range 3 { // the channel holds one: the third goes in once the first is done
			s.full <- struct{}{}
		}
	}
	tidy()
	for s.rollIsDue() {
		<-time.After(time.Millisecond)
	}
	tidy()
}

// Synced has packing believe that the disk has everything so long after its
// acknowledgement.
func Synced(c Config, after time.Duration) Config {
	c.synced = after
	return c
}

// Tidy has the tidy loop do its work as for a full spool, and does not wait.
func Tidy(s *Spool) { wake(s.full) }

// Streams are the names of all streams of frames that are there.
func Streams(t *testing.T, s *Spool) (names []string) {
	t.Helper()
	states, err := s.store.states(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name := range states {
		if _, frames := parseSegment(name); frames {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Spool) rollIsDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rollDue
}

// FetchAcross fetches the next page of the backlog, which was chosen before
// between was called.
func FetchAcross(s *Spool, between func()) error {
	from, ok := s.nextPage()
	if !ok {
		return errNothing
	}
	between()
	return s.fetchFrom(from)
}

// LoseARoll makes the next segment as a roll does whose answer is lost: frames go
// on in the old one.
func LoseARoll(t *testing.T, s *Spool) {
	t.Helper()
	s.mu.Lock()
	next := segment{begin: s.ledger.lastSeq + 1}
	s.mu.Unlock()
	if err := s.store.begin(t.Context(), next, largeFiles); err != nil {
		t.Fatal(err)
	}
}

// StopStore takes the embedded server away, as a write error would.
func StopStore(s *Spool) { s.in.stop() }

// StoreUnacknowledged leaves the next frame in the store as a failed sync does:
// it is in the file and not in the books.
func StoreUnacknowledged(t *testing.T, s *Spool, r *spool.Record) {
	t.Helper()
	s.mu.Lock()
	h := header{writer: s.writer, first: s.ledger.last + 1, count: 1}
	s.mu.Unlock()
	data := appendToFrame(beginFrame(nil), r)
	endFrame(data, h)
	if _, err := s.store.publish(t.Context(), s.subject(0), h.id(), data); err != nil {
		t.Fatal(err)
	}
}

// LoseTheEndOfARoll makes the next segment as a roll does that a crash breaks off
// while the segment has the limit that makes its files small.
func LoseTheEndOfARoll(t *testing.T, s *Spool) {
	t.Helper()
	s.mu.Lock()
	c := s.store.segmentConfig(segment{begin: s.ledger.lastSeq + 1})
	s.mu.Unlock()
	c.MaxBytes = int64(smallFiles)
	if _, err := s.store.js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// DescribeInSteps begins the next segment and calls after whenever its
// description was written: with the limit, without, and sealed.
func DescribeInSteps(t *testing.T, s *Spool, after func()) {
	t.Helper()
	s.mu.Lock()
	g := segment{begin: s.ledger.lastSeq + 1}
	s.mu.Unlock()
	LoseTheEndOfARoll(t, s)
	after()
	err := s.store.begin(t.Context(), g, largeFiles)
	after()
	err = errors.Join(err, s.store.seal(t.Context(), g))
	after()
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.segments = append(s.segments, &held{segment: g})
	s.ledger.spans.cut()
	s.mu.Unlock()
}

// SmallFilesAfter says whether small files follow a segment that took in so much.
func SmallFilesAfter(bytes int, within time.Duration) bool {
	now := time.Now()
	h := &held{bytes: bytes, span: span{oldest: now.Add(-within)}}
	return (&Spool{in: &embedded{}}).files(h.pace(now)) == smallFiles
}

// Holes is how many frames are missing of a segment whose last one in the books
// is that.
func Holes(lastSeq uint64, state jetstream.StreamState) int {
	h := &held{span: span{lastSeq: lastSeq}}
	return h.holes(state)
}
