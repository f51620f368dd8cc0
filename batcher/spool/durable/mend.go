package durable

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// After a write error JetStream writes no more to a stream until it is started
// anew. What a failed write or sync has left in the file is then read back from
// memory as if it were on the disk, and the next sync does not write it: the
// kernel takes it for clean. So what is acknowledged after a restart goes into
// new files, and the stream's memory of the frame's name does not count there:
//
//	M1  after a restart frames go to a new segment
//	M2  after a restart the notes are written anew, and with them their file
//	M3  after a restart the books are compared with the disk; what is missing is
//	    named at once, and counted when the reader comes there

// mend restarts an embedded server that a write error has stopped, once there
// is room on the disk for it to do better. The frame's id outlives it. It is
// the commit loop's.
func (s *Spool) mend(ctx context.Context, attempt, size int) {
	if s.in == nil || attempt < 2 || ctx.Err() != nil {
		return
	}
	if s.in.healthy() == nil && attempt%3 != 0 {
		return
	}
	free, err := freeBytes(s.cfg.Dir)
	if need := int64(2*size + 1<<20); err != nil || free < need {
		s.cfg.Log.Warn("the spool waits for room on the disk", "free_bytes", free, "needed_bytes", need, "error", err)
		return
	}
	s.cfg.Log.Warn("the spool's store is started anew", "attempt", attempt)
	s.mu.Lock()
	s.stats.Restarts++
	s.mu.Unlock()
	s.distrusted = true
	if err := s.in.restart(ctx); err != nil {
		s.cfg.Log.Error("the spool's store does not start", "error", err)
		return
	}
	s.store.reconnect()
}

// mendNotes restarts the server for the notes' sake, when only they fail.
func (s *Spool) mendNotes(ctx context.Context) {
	s.mu.Lock()
	failed := s.notesFailed
	if failed >= maxNotesFailed {
		s.notesFailed = 0
	}
	s.mu.Unlock()
	if failed < maxNotesFailed {
		return
	}
	s.mend(ctx, 3, 0)
	if err := s.trust(ctx); err != nil {
		s.cfg.Log.Warn("the spool's store is not to be trusted yet", "error", err)
	}
}

// maxNotesFailed is how many notes in a row may fail.
const maxNotesFailed = 3

// trust does after a restart what M1 to M3 say.
func (s *Spool) trust(ctx context.Context) error {
	if !s.distrusted {
		return nil
	}
	states, err := s.store.states(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	row := append(segmentRow(nil), s.segments...)
	next := s.ledger.lastSeq + 1
	s.mu.Unlock()
	for _, h := range row {
		state, ok := states[h.stream()]
		if !ok {
			return fmt.Errorf("the segment %s was there and is not found", h.stream())
		}
		if err := s.compare(ctx, h, state); err != nil {
			return err
		}
		next = max(next, state.LastSeq+1)
	}
	if next > row.current().begin { // else nothing was ever written there
		if err := s.roll(ctx, segment{begin: next}, s.files(0)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.notesDistrusted, s.notesFailed = true, 0
	s.mu.Unlock()
	wake(s.settledC)
	s.distrusted = false
	return nil
}

// compare names what a segment should have and has not.
func (s *Spool) compare(ctx context.Context, h *held, state jetstream.StreamState) error {
	s.mu.Lock()
	want, at := h.kept, h.span
	s.mu.Unlock()
	if state.Msgs >= want || at.last == 0 {
		return nil
	}
	there := newPositions(at.first)
	_, err := s.store.fetchAll(ctx, h.stream(), state.FirstSeq, lastOf(state.Msgs, state.LastSeq), func(_ uint64, data []byte) {
		if head, _, err := parseHeader(data); err == nil {
			there.addRange(head.first, min(head.last(), at.last))
		}
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, gap := range unsettled(there, at.first, at.last) {
		for _, lost := range unsettled(s.ledger.settled, gap.first, gap.last) {
			s.harm(Damage{First: lost.first, Last: lost.last, Seq: at.lastSeq, What: "acknowledged frames are gone since the store was started anew"})
		}
	}
	h.kept = state.Msgs
	return nil
}
