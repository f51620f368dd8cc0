package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool"
)

const tidyEvery = 2 * time.Second

// tidyLoop gives back the space of what is settled, until ctx is done.
func (s *Spool) tidyLoop(ctx context.Context) {
	every := tidyEvery
	if s.cfg.Lease != nil { // one of many in a store: they ask it a hundred times a second as it is
		every *= 5
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tidy(ctx, false)
		case <-s.full:
			s.tidy(ctx, true)
		case <-s.closing:
			s.packAll(ctx, time.Now().Add(-s.cfg.Keep))
		case <-ctx.Done():
			return
		}
	}
}

// tidy purges what is settled from the front, and packs the segments behind.
// Only what a note calls settled goes, and only after the marks of its streams
// are in a note: so whatever a crash leaves, positions go on behind the highest
// ever used. A full spool keeps nothing that is settled.
func (s *Spool) tidy(ctx context.Context, full bool) {
	then := time.Now().Add(-s.cfg.Keep)
	if full {
		then = time.Now().Add(time.Hour) // a frame's time may be ahead by a clock's error
	}
	if err := s.trim(ctx, then.Add(-eraseGrace)); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("the spool cannot give back space", "error", err)
	}
	s.wantRoll(full)
	s.packAll(ctx, then)
	if s.measure(ctx) {
		wake(s.room)
	}
}

// trim purges the leading frames that are settled and were received before
// then.
func (s *Spool) trim(ctx context.Context, then time.Time) error {
	s.mu.Lock()
	n := s.ledger.spans.settledBefore(s.ledger.settled.floor, then)
	if n == 0 {
		s.mu.Unlock()
		return nil
	}
	end := s.ledger.spans[n-1]
	marks := s.unsavedMarks(end.last)
	s.mu.Unlock()
	if !s.noted(ctx, marks) {
		return nil // the keep loop has said why
	}
	if err := s.purge(ctx, end.lastSeq+1); err != nil {
		return err
	}
	s.trimmed(end)
	return nil
}

// unsavedMarks are those that only frames up to last speak of. The caller
// holds mu.
func (s *Spool) unsavedMarks(last spool.Position) (marks []mark) {
	for _, m := range s.marks {
		if m.last <= last && !m.saved {
			marks = append(marks, *m)
		}
	}
	return marks
}

// purge removes every frame below seq: whole segments, and the front of one.
func (s *Spool) purge(ctx context.Context, seq uint64) error {
	for {
		s.mu.Lock()
		head, closed := s.segments[0], len(s.segments) > 1
		reached, whole := head.last != 0 && head.firstSeq < seq, head.lastSeq < seq
		s.mu.Unlock()
		if closed && whole {
			if err := s.store.drop(ctx, head.segment); err != nil {
				return err
			}
			s.vanish(head)
			continue
		}
		if !reached {
			return nil
		}
		return s.purgeFront(ctx, head, seq)
	}
}

func (s *Spool) purgeFront(ctx context.Context, head *held, seq uint64) error {
	if err := s.store.purge(ctx, head.stream(), seq); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if head.lastSeq < seq { // of a stream that it empties JetStream throws the files away
		*head = held{segment: head.segment}
	} else {
		head.firstSeq, head.kept = seq, head.kept-min(head.kept, seq-head.firstSeq)
	}
	return nil
}

// trimmed enters a purge into the books.
func (s *Spool) trimmed(end span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.spans = s.ledger.spans.behind(end.last)
	for id, position := range s.forgets {
		if position <= end.last {
			delete(s.forgets, id)
		}
	}
	damage := s.damage[:0]
	for _, d := range s.damage {
		if d.Last > end.last || d.Seq > end.lastSeq {
			damage = append(damage, d)
		}
	}
	s.damage = damage
}

// holes are how many of the segment's frames JetStream does not have. A frame
// whose file it could not write it may count as gone: that was never in the
// books, and lies behind those that are.
func (h *held) holes(state jetstream.StreamState) int {
	if state.LastSeq <= h.lastSeq {
		return state.NumDeleted
	}
	return max(0, state.NumDeleted-int(state.LastSeq-h.lastSeq))
}

// measure asks how much the frames take, and whether some are missing. It says
// whether they take less than before.
func (s *Spool) measure(ctx context.Context) (less bool) {
	states, err := s.store.states(ctx)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = spool.Kept{Letters: states[letterStream].Msgs, Bytes: states[letterStream].Bytes}
	before := s.stats.Bytes
	s.stats.Bytes, s.stats.Frames, s.stats.Notes = 0, 0, states[noteStream].Msgs
	s.stats.Segments = uint64(len(s.segments))
	holes := 0
	for _, h := range s.segments {
		state := states[h.stream()]
		s.stats.Bytes += state.Bytes
		s.stats.Frames += state.Msgs
		holes += h.holes(state)
	}
	if holes > s.holes {
		s.harm(Damage{What: fmt.Sprintf("JetStream has dropped %d frames", holes-s.holes), Seq: s.segments[0].firstSeq})
	}
	s.holes = holes
	return s.stats.Bytes < before
}
