package durable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/steno/batcher/spool"
)

const (
	packFrames  = 512
	packAgain   = 20 * time.Second // a segment is packed no more often
	smallFrames = 2000             // a closed segment of more frames is worth merging them
	eraseGrace  = rollEvery        // so much longer than Keep text stays: a segment then goes at once, not bit by bit
)

// packing is a closed segment to be replaced by a smaller one.
//
//	K1  what waits is in both, in the same order and under the same positions
//	K2  what is settled and was received before Keep is left out: its text is
//	    gone with the old segment's files
//	K3  many small frames become few large ones: a million waiting utterances
//	    then open in seconds
//	K4  the old segment goes when the new one is whole, which it is not before
//	    it is on the disk
//	K5  it has no more frames than the old one, so that none has a sequence of
//	    the segment behind: there nobody would find it
type packing struct {
	old     *held
	next    segment
	erase   bool
	rush    bool   // another one is due behind it
	waiting uint64 // records that are not settled
	gone    []bool // from old.first on: to be left out, as noted on the disk; with erase
	left    uint64 // positions that are not gone
	marks   []mark // of the streams that old may be the last to speak of; with erase
}

// packAll packs what is due.
func (s *Spool) packAll(ctx context.Context, then time.Time) {
	s.dropPacked(ctx)
	for p := s.duePacking(then); p != nil && ctx.Err() == nil; p = s.duePacking(then) {
		if err := s.pack(ctx, p); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("a segment of the spool stays as it is for now", "segment", p.old.stream(), "error", err)
		}
	}
}

// duePacking picks the oldest segment that is due, and says so in the books.
func (s *Spool) duePacking(then time.Time) (due *packing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, settled := time.Now(), s.ledger.settled
	for _, h := range s.segments[:len(s.segments)-1] {
		if now.Sub(h.tried) < packAgain || h.bytes > 2*segmentSize(s.cfg.MaxBytes) { // one of layout 1 goes from its front only
			continue
		}
		p := &packing{old: h, next: segment{h.begin, h.revision + 1}, waiting: h.waiting(settled)}
		from, to := s.ledger.spans.within(h.span)
		parts := s.ledger.spans[from:to]
		p.erase = parts.erasable(settled, then.Add(-eraseGrace), h.present)
		if !p.erase && (h.frames <= smallFrames || 2*p.waiting <= h.present) {
			continue
		}
		if due != nil {
			due.rush = true
			break
		}
		if due = p; p.erase {
			p.leaveOut(parts, settled, then)
			p.marks = s.unsavedMarks(h.last)
		}
	}
	if due != nil {
		due.old.tried = now
	}
	return due
}

// erasable says whether a segment's files hold text of what is settled and was
// received before then, or of what was purged: all is the number of records in
// them.
func (s spans) erasable(settled *positions, then time.Time, all uint64) bool {
	for i := range s {
		if s[i].newest.Before(then) && s[i].present > s[i].waiting(settled) {
			return true
		}
		all -= min(all, s[i].present)
	}
	return all > 0
}

// leaveOut marks what is gone: all that is settled, without what is too young.
func (p *packing) leaveOut(parts spans, settled *positions, then time.Time) {
	h := p.old
	p.gone = make([]bool, h.last-h.first+1)
	for i := range p.gone {
		p.gone[i] = settled.has(h.first + spool.Position(i))
	}
	for _, part := range parts {
		if part.newest.Before(then) {
			continue
		}
		for at := part.first; at <= part.last; at++ {
			p.gone[at-h.first] = false
		}
	}
	for _, gone := range p.gone {
		if !gone {
			p.left++
		}
	}
}

// pack writes the new segment, then lets it take the old one's place.
func (s *Spool) pack(ctx context.Context, p *packing) error {
	if p.erase && !s.noted(ctx, p.marks) {
		return errors.New("what is settled could not be noted")
	}
	if p.erase && p.left == 0 {
		if err := s.store.drop(ctx, p.old.segment); err != nil {
			return err
		}
		s.vanish(p.old)
		return nil
	}
	if err := s.store.drop(ctx, p.next); err != nil { // of an attempt that was broken off
		return err
	}
	if err := s.store.begin(ctx, p.next, largeFiles); err != nil {
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
	if rest(ctx, s.cfg.synced); ctx.Err() != nil { // K4
		return errors.Join(context.Cause(ctx), s.store.drop(context.WithoutCancel(ctx), p.next))
	}
	if err := s.store.seal(ctx, p.next); err != nil {
		return err
	}
	s.replace(p.old, w)
	s.packed = append(s.packed, p.old.segment)
	s.dropPacked(ctx)
	return nil
}

// dropPacked takes away what was packed. What cannot go now goes later: it holds
// text.
func (s *Spool) dropPacked(ctx context.Context) {
	s.packed = slices.DeleteFunc(s.packed, func(old segment) (gone bool) {
		err := s.store.drop(ctx, old)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("a segment of the spool that was packed is still there for now", "segment", old.stream(), "error", err)
		}
		return err == nil
	})
}

// repack copies a page at a time, and rests as long as each has taken, unless
// it falls behind: nobody waits for it, and acknowledgements must not.
func (s *Spool) repack(ctx context.Context, w *packer) error {
	stream := w.old.stream()
	for seq := max(w.old.firstSeq, 1); seq <= w.old.lastSeq; {
		begun := time.Now()
		var fault error
		next, err := s.store.fetch(ctx, stream, page{Seq: seq, Batch: packFrames, MaxBytes: pageBytes}, func(seq uint64, data []byte) {
			if fault == nil {
				fault = w.frame(seq, data)
			}
		})
		if err = errors.Join(err, fault); err != nil {
			return fmt.Errorf("copy %s: %w", stream, err)
		}
		if seq = next; w.rush {
			continue
		}
		select {
		case <-time.After(time.Since(begun)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
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
