package durable

import (
	"context"
	"fmt"
	"time"

	"example.com/steno/batcher/spool"
)

const (
	noteSoon = 50 * time.Millisecond // how much a crash may have sent again, beside what is in flight
	noteLate = time.Second           // how old the note of the highest position may be

	// The notes are written anew, as one, when there are as many as this.
	maxNotes   = 2000
	notesEvery = 2 * time.Second // how often that is looked at
)

// maxSpareSettlements is the number above which the memory of what a note was
// written from is not worth keeping.
const maxSpareSettlements = 4096

// noteRequest asks the keep loop to note at once what is settled, and marks.
type noteRequest struct {
	marks []mark
	done  chan bool // size 1: whether it is on the disk
}

// noted returns once everything that is settled by now, and the marks, are in
// notes; false: they are not.
func (s *Spool) noted(ctx context.Context, marks []mark) bool {
	r := noteRequest{marks, make(chan bool, 1)}
	select {
	case s.notes <- r:
	case <-ctx.Done():
		return false
	}
	select {
	case ok := <-r.done:
		return ok
	case <-ctx.Done():
		return false
	}
}

// keeper is what the keep loop remembers from round to round.
type keeper struct {
	high    spool.Position // as the last note says it
	notes   int            // since they were last written anew
	anew    bool           // a note was not written: only writing all anew makes up for it
	rewrite bool           // and what is in the file must not be trusted

	spare []spool.Settlement // the memory of what the last note was written from
}

// keepLoop writes down what was settled, until ctx is done; then once more.
func (s *Spool) keepLoop(ctx context.Context) {
	k := keeper{anew: true}
	due := time.NewTimer(0)
	defer due.Stop()
	soon, late := true, true
	look := time.NewTicker(notesEvery)
	defer look.Stop()
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
			s.keepLetters(ctx)
			s.writeNote(ctx, &k)
		case <-look.C:
			s.keepLetters(ctx)
			if k.anew || k.notes > maxNotes {
				k.anew = !s.writeAnew(ctx, &k)
			}
		case r := <-s.notes:
			s.keepLetters(ctx)
			r.done <- s.answer(ctx, &k, r.marks)
		case <-ctx.Done():
			s.keepLast(ctx, &k)
			return
		}
	}
}

// keepLast writes down what is left to write at the end. In a cluster, whose
// leader may be changing, it tries for longer: who opens the spool next sends
// again what no note calls settled.
func (s *Spool) keepLast(ctx context.Context, k *keeper) {
	patience := requestTimeout
	if s.cfg.Lease != nil {
		patience = 5 * requestTimeout
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for {
		for s.keepLetters(last) {
		}
		s.writeNote(last, k)
		left := len(s.unwritten())
		switch {
		case !k.anew && left == 0, s.cfg.Lease == nil:
			return
		case last.Err() != nil || s.ours() != nil:
			s.unnoted = fmt.Errorf("the spool is closed without a note of all that is settled: some may be sent again (%d dead letters are not written)", left)
			return
		}
		rest(last, requestTimeout/20)
	}
}

// answer is noted's.
func (s *Spool) answer(ctx context.Context, k *keeper, marks []mark) bool {
	s.writeNote(ctx, k)
	if k.anew {
		return false
	}
	s.mu.Lock()
	saying := s.emptyNote()
	s.mu.Unlock()
	saying.marks = marks
	if !s.publishNotes(ctx, k, split(saying)) {
		k.anew = true
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, saved := range marks {
		if m := s.marks[saved.Stream]; m != nil && m.last == saved.last {
			m.saved = true
		}
	}
	return true
}

// writeNote publishes what was settled since the last note. What cannot be
// written is not kept for later: the books know it, and all is written anew.
func (s *Spool) writeNote(ctx context.Context, k *keeper) {
	s.mu.Lock()
	n := s.emptyNote()
	n.forgets = s.unsaid
	unsaved := s.ledger.unsaved
	s.ledger.unsaved, s.unsaid = k.spare[:0], nil
	if k.spare = unsaved; cap(unsaved) > maxSpareSettlements {
		k.spare = nil
	}
	if s.notesDistrusted {
		k.anew, k.rewrite, s.notesDistrusted = true, true, false
	}
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
			s.notesFail(ctx, err)
			return false
		}
		k.high = n.high
		k.notes++
	}
	s.mu.Lock()
	s.notesFailed = 0
	s.mu.Unlock()
	return true
}

// notesFail has the commit loop look after the store when it goes on.
func (s *Spool) notesFail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.cfg.Log.Warn("the spool cannot note what is settled; after a crash now it would be sent again", "error", err)
	s.mu.Lock()
	s.notesFailed++
	s.mu.Unlock()
	wake(s.appended)
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
	if state.Msgs > 0 && s.ours() == nil { // what another has noted since is not below LastSeq
		if k.rewrite {
			if err := s.store.rewrite(ctx, noteStream, state.LastSeq); err != nil {
				s.notesFail(ctx, err)
				return false
			}
		}
		if err := s.store.purge(ctx, noteStream, state.LastSeq+1); err != nil {
			s.cfg.Log.Warn("the spool's old notes stay", "error", err)
			return false
		}
	}
	k.notes, k.rewrite = 0, false
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
		if m.saved || m.last < s.kept() {
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
