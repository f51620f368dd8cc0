package durable

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	packAgain    = 20 * time.Second // a segment is packed no more often
	smallFrames  = 2000             // a closed segment of more frames is worth merging them
	packableSize = 2 * segmentBytes // a segment of layout 1 may be larger: it goes from its front only
)

// packing is a closed segment to be replaced by a smaller one.
//
//	K1  what waits is in both, in the same order and under the same positions
//	K2  what was settled before Keep is left out: its text is gone with the old
//	    segment's files
//	K3  many small frames become few large ones: a million waiting utterances
//	    then open in seconds
//	K4  the old segment goes when the new one is whole
type packing struct {
	old     *held
	next    segment
	erase   bool
	waiting uint64
	settled []bool // from old.first on, as noted on the disk; with erase
	marks   []mark // of the streams that old may be the last to speak of; with erase
}

// packAll packs what is due.
func (s *Spool) packAll(ctx context.Context, then time.Time) {
	for p := s.duePacking(then); p != nil && ctx.Err() == nil; p = s.duePacking(then) {
		if err := s.pack(ctx, p); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("a segment of the spool stays as it is for now", "segment", p.old.stream(), "error", err)
		}
	}
}

// duePacking picks the oldest segment that is due, and says so in the books.
func (s *Spool) duePacking(then time.Time) *packing {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, h := range s.segments[:len(s.segments)-1] {
		if now.Sub(h.tried) < packAgain || h.bytes > packableSize {
			continue
		}
		waiting := h.waiting(s.ledger.settled)
		erase := h.newest.Before(then) && h.present > waiting
		merge := h.frames > smallFrames && 2*waiting > h.present
		if !erase && !merge {
			continue
		}
		h.tried = now
		p := &packing{old: h, next: segment{h.begin, h.revision + 1}, erase: erase, waiting: waiting}
		if erase && h.last != 0 {
			for at := h.first; at <= h.last; at++ {
				p.settled = append(p.settled, s.ledger.settled.has(at))
			}
			p.marks = s.unsavedMarks(h.last)
		}
		return p
	}
	return nil
}

// pack writes the new segment, then lets it take the old one's place.
func (s *Spool) pack(ctx context.Context, p *packing) error {
	if p.erase && !s.noted(ctx, p.marks) {
		return errors.New("what is settled could not be noted")
	}
	if p.waiting == 0 {
		if err := s.store.drop(ctx, p.old.segment); err != nil {
			return err
		}
		s.vanish(p.old)
		return nil
	}
	if err := s.store.drop(ctx, p.next); err != nil { // of an attempt that was broken off
		return err
	}
	if err := s.store.begin(ctx, p.next); err != nil {
		return err
	}
	w := &packer{packing: p, writer: s.writer, new: &held{segment: p.next}, done: p.old.first - 1, publish: func(partition uint16, data []byte) (uint64, error) {
		return s.store.publish(ctx, p.next.subject(partition), "", data)
	}}
	if err := s.repack(ctx, w); err != nil {
		return errors.Join(err, s.store.drop(context.WithoutCancel(ctx), p.next))
	}
	if w.new.present < p.waiting {
		return errors.Join(fmt.Errorf("%d of %d waiting records are not in its frames", p.waiting-w.new.present, p.waiting), s.store.drop(ctx, p.next))
	}
	if err := s.store.seal(ctx, p.next); err != nil {
		return err
	}
	s.replace(p.old, w)
	return s.store.drop(ctx, p.old.segment)
}

// repack copies frame by frame.
func (s *Spool) repack(ctx context.Context, w *packer) error {
	stream := w.old.stream()
	for seq := max(w.old.firstSeq, 1); seq <= w.old.lastSeq; {
		var fault error
		next, err := s.store.fetch(ctx, stream, page{Seq: seq, Batch: pageFrames, MaxBytes: pageBytes}, func(seq uint64, data []byte) {
			if fault == nil {
				fault = w.frame(seq, data)
			}
		})
		if err = errors.Join(err, fault); err != nil {
			return fmt.Errorf("copy %s: %w", stream, err)
		}
		seq = next
	}
	return w.flush()
}

// replace has the books speak of the new segment. The reader goes back to its
// beginning if it was in the old one: what it has read it knows.
func (s *Spool) replace(old *held, w *packer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.new.tried = old.tried
	for i, h := range s.segments {
		if h == old {
			s.segments[i] = w.new
		}
	}
	if s.segments.at(s.ledger.cursor) == w.new {
		s.ledger.cursor = w.new.begin
	}
	s.ledger.spans = s.ledger.spans.exchange(old.span, w.spans)
	s.moves++
}

// vanish takes a segment out of the books that is not there any more.
func (s *Spool) vanish(old *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := make(segmentRow, 0, len(s.segments)-1)
	for _, h := range s.segments {
		if h != old {
			row = append(row, h)
		}
	}
	s.segments = row
	s.ledger.spans = s.ledger.spans.exchange(old.span, nil)
}
