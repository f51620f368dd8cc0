package durable

import (
	"context"
	"time"

	"example.com/steno/batcher/spool"
)

const (
	noteSoon  = 2 * time.Millisecond // how much a crash may have sent again, beside what is in flight
	noteLate  = time.Second          // how old the note of the highest position may be
	trimEvery = 2 * time.Second

	// The notes are written anew, as one, when there are as many as this.
	maxNotes = 2000
)

// keeper is what the keep loop remembers from round to round.
type keeper struct {
	floor, high spool.Position // as the last note says them
	notes       int            // since they were last written anew
	anew        bool           // a note was not written: only writing all anew makes up for it

	letterFailures int // in a row
}

// keepLoop writes down what was settled and gives back its space, until ctx is
// done; then once more.
func (s *Spool) keepLoop(ctx context.Context) {
	k := keeper{anew: true}
	due := time.NewTimer(0)
	defer due.Stop()
	soon, late := true, true
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	for {
		select {
		case <-s.settledC:
			if !soon {
				due.Reset(noteSoon)
			}
			soon, late = true, true
		case <-s.commitC:
			if !late {
				due.Reset(noteLate)
			}
			late = true
		case <-due.C:
			soon, late = false, false
			s.keepLetters(ctx, &k)
			s.writeNote(ctx, &k)
		case <-trim.C:
			s.keepLetters(ctx, &k)
			if k.anew || k.notes > maxNotes {
				k.anew = !s.writeAnew(ctx, &k)
			}
			s.trim(ctx, &k, false)
		case <-s.full:
			s.keepLetters(ctx, &k)
			s.writeNote(ctx, &k)
			s.trim(ctx, &k, true)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
			defer cancel()
			for s.keepLetters(last, &k) {
			}
			s.writeNote(last, &k)
			return
		}
	}
}

// writeNote publishes what was settled since the last note. What cannot be
// written is not kept for later: the books know it, and all is written anew.
func (s *Spool) writeNote(ctx context.Context, k *keeper) {
	s.mu.Lock()
	n := s.emptyNote()
	n.forgets = s.unsaid
	unsaved := s.ledger.unsaved
	s.ledger.unsaved, s.unsaid = nil, nil
	s.mu.Unlock()
	if k.anew {
		k.anew = !s.writeAnew(ctx, k)
		return
	}
	if len(unsaved) == 0 && len(n.forgets) == 0 && n.high == k.high {
		return
	}
	for _, u := range unsaved {
		if last := len(n.settled) - 1; last >= 0 && n.settled[last].last+1 == u.Position {
			n.settled[last].last++
		} else {
			n.settled = append(n.settled, run{u.Position, u.Position})
		}
		if u.Rejected != "" {
			n.rejected = append(n.rejected, rejection{u.Position, u.Rejected})
		}
	}
	if !s.publishNotes(ctx, k, []*note{n}) {
		k.anew = true
	}
}

// publishNotes publishes and remembers what the last one says.
func (s *Spool) publishNotes(ctx context.Context, k *keeper, notes []*note) bool {
	for _, n := range notes {
		if _, err := s.store.publish(ctx, noteSubject(0), "", n.encode()); err != nil {
			if ctx.Err() == nil {
				s.cfg.Log.Warn("the spool cannot note what is settled; after a crash now it would be sent again", "error", err)
			}
			return false
		}
		k.floor, k.high = n.floor, n.high
		k.notes++
	}
	return true
}

// writeAnew replaces all notes by new ones that say the same. A crash at any
// point leaves enough of them: notes are united.
func (s *Spool) writeAnew(ctx context.Context, k *keeper) bool {
	state, err := s.store.state(ctx, noteStream)
	if err != nil {
		return false
	}
	s.mu.Lock()
	notes := s.summary()
	s.mu.Unlock()
	if !s.publishNotes(ctx, k, notes) {
		return false
	}
	if state.Msgs > 0 {
		if err := s.store.purge(ctx, noteStream, state.LastSeq+1); err != nil {
			s.cfg.Log.Warn("the spool's old notes stay", "error", err)
			return false
		}
	}
	k.notes = 0
	return true
}

// summary says everything in notes of a bounded length. The caller holds mu.
func (s *Spool) summary() []*note {
	notes := []*note{s.emptyNote()}
	size := 0
	room := func(need int) *note {
		if size += need; size > maxNote {
			notes, size = append(notes, s.emptyNote()), need
		}
		return notes[len(notes)-1]
	}
	s.ledger.settled.runs(s.ledger.last, func(first, last spool.Position) bool {
		n := room(12)
		n.settled = append(n.settled, run{first, last})
		return true
	})
	// Marks of streams whose frames are still there need no note.
	for _, m := range s.marks {
		if m.last < s.kept() {
			n := room(64 + len(m.Epoch) + len(m.Call) + streamSize(m.Stream))
			n.marks = append(n.marks, *m)
		}
	}
	for id, position := range s.forgets {
		n := room(10 + streamSize(id))
		n.forgets = append(n.forgets, forgotten{id, position})
	}
	return notes
}

func (s *Spool) emptyNote() *note {
	return &note{floor: s.ledger.settled.floor, high: s.ledger.last, letters: s.letterCount}
}

func streamSize(id spool.StreamID) int { return len(id.Org) + len(id.Call) + len(id.ID) }

// kept is the first position whose frame is still on disk. The caller holds mu.
func (s *Spool) kept() spool.Position {
	if len(s.ledger.spans) == 0 {
		return s.ledger.last + 1
	}
	return s.ledger.spans[0].first
}

// trim purges the leading frames that are settled and were kept for long
// enough; a full spool keeps none that is settled. Only what a note calls
// settled is purged, and only after the marks of its streams are in a note: so
// whatever a crash leaves, positions go on behind the highest ever used.
func (s *Spool) trim(ctx context.Context, k *keeper, full bool) {
	then := time.Now().Add(-s.cfg.Keep)
	if full {
		then = time.Now().Add(time.Hour) // a frame's time may be ahead by a clock's error
	}
	s.mu.Lock()
	n := s.ledger.spans.settledBefore(k.floor, then)
	if n == 0 {
		s.mu.Unlock()
		s.measure(ctx)
		return
	}
	end := s.ledger.spans[n-1]
	saying := s.emptyNote()
	for _, m := range s.marks {
		if m.last <= end.last && !m.saved {
			saying.marks = append(saying.marks, *m)
		}
	}
	s.mu.Unlock()

	if len(saying.marks) > 0 && !s.publishNotes(ctx, k, split(saying)) {
		k.anew = true
		return
	}
	if err := s.store.purge(ctx, frameStream, end.lastSeq+1); err != nil {
		s.cfg.Log.Warn("the spool cannot give back space", "error", err)
		return
	}
	s.trimmed(n, end, saying.marks)
	s.measure(ctx)
	wake(s.room)
}

// split makes notes of a bounded length of one with many marks.
func split(n *note) []*note {
	var notes []*note
	for len(n.marks) > 0 {
		some := min(len(n.marks), 500)
		notes = append(notes, &note{floor: n.floor, high: n.high, marks: n.marks[:some], letters: n.letters})
		n.marks = n.marks[some:]
	}
	return notes
}

// trimmed enters a purge into the books.
func (s *Spool) trimmed(n int, end span, saved []mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.spans = append(spans(nil), s.ledger.spans[n:]...)
	for _, saved := range saved {
		if m := s.marks[saved.Stream]; m != nil && m.last == saved.last {
			m.saved = true
		}
	}
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

// measure asks how much the frames take.
func (s *Spool) measure(ctx context.Context) {
	frames, err := s.store.state(ctx, frameStream)
	if err != nil {
		return
	}
	notes, err := s.store.state(ctx, noteStream)
	if err != nil {
		return
	}
	s.measureLetters(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Bytes, s.stats.Frames, s.stats.Notes = frames.Bytes, frames.Msgs, notes.Msgs
	if frames.NumDeleted > s.holes {
		s.harm(Damage{What: "JetStream has dropped frames", Seq: frames.FirstSeq})
	}
	s.holes = frames.NumDeleted
}
