package durable

import (
	"context"
	"time"
)

const (
	rollEvery  = 30 * time.Second // how old a segment with something settled may be before the next one is begun
	rollPause  = time.Second      // after a segment that could not be begun
	maxByTime  = 500              // as many segments as this: no further one because of time
	fullMargin = 128              // what JetStream adds to a frame, at most
)

// wantRoll has the commit loop begin a new segment where the current one holds
// something settled that must be gone soon: only a closed one can be packed. An
// external store is left with one segment: what is erased there is its affair.
func (s *Spool) wantRoll(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.segments.current()
	if s.in == nil || h.last == 0 || len(s.segments) >= maxByTime {
		return
	}
	settled := h.waiting(s.ledger.settled) < h.present
	if settled && (full || time.Since(h.oldest) > rollEvery) {
		s.rollDue = true
		wake(s.appended)
	}
}

// rollIfDue is the commit loop's, between two frames.
func (s *Spool) rollIfDue(ctx context.Context) {
	s.mu.Lock()
	h := s.segments.current()
	due := s.in != nil && h.last != 0 && (s.rollDue || h.frames >= segmentFrames || h.bytes >= segmentSize(s.cfg.MaxBytes)) && time.Now().After(s.rollNext)
	next, files := segment{begin: s.ledger.lastSeq + 1}, s.files(h.pace(time.Now()))
	s.mu.Unlock()
	if !due {
		return
	}
	if err := s.roll(ctx, next, files); err != nil {
		s.cfg.Log.Warn("the spool goes on in its old segment", "error", err)
	}
}

// roll begins the segment next, for the frames from now on.
func (s *Spool) roll(ctx context.Context, next segment, files fileSize) error {
	err := s.store.begin(ctx, next, files)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.rollNext = time.Now().Add(rollPause)
		return err
	}
	s.rollDue = false
	wake(s.closing)
	s.segments = append(s.segments, &held{segment: next})
	s.ledger.spans.cut()
	return nil
}

// subject is where frames go at the moment.
func (s *Spool) subject(partition uint16) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segments.current().subject(partition)
}

// tooFull says that a frame of size does not fit below the limit.
func (s *Spool) tooFull(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Bytes+uint64(size)+fullMargin > uint64(s.cfg.MaxBytes)
}
