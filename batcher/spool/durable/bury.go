package durable

import (
	"context"
	"fmt"
	"slices"

	"example.com/steno/batcher/spool"
)

const (
	// letterRound is how many letters are written before anybody is told.
	letterRound = 200

	// maxUnwritten bounds the letters in memory: with more of them nothing
	// further is read, so that nothing further can be rejected.
	maxUnwritten = 10_000
)

// keepLetters writes some letters of what was rejected, the oldest first, and
// says whether more are left to write. Only then do the books call it settled,
// and so only then does a note: what a crash leaves is either a letter, which is
// proof enough, or an utterance that waits and is sent again. What was delivered
// is noted between two rounds.
func (s *Spool) keepLetters(ctx context.Context) (more bool) {
	some := s.unwritten()
	if len(some) == 0 {
		return false
	}
	written, err := s.writeLetters(ctx, some)
	s.measureLetters(ctx)
	s.bury(written, err)
	if err == nil {
		return true
	}
	if ctx.Err() == nil { // the commit loop looks after the store
		s.mu.Lock()
		s.notesFailed++
		s.mu.Unlock()
		wake(s.appended)
	}
	return false
}

// unwritten returns the oldest letters that are not on the disk.
func (s *Spool) unwritten() []*spool.DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()
	var some []*spool.DeadLetter
	for _, d := range s.ledger.dead {
		some = append(some, d)
	}
	slices.SortFunc(some, func(a, b *spool.DeadLetter) int { return int(a.Record.Position) - int(b.Record.Position) })
	return some[:min(len(some), letterRound)]
}

// writeLetters returns those that are safe. A letter's name for JetStream has
// its position, which no other utterance ever has: whoever writes one again
// after an error writes it once. After a restart of the store the name is
// another one (M1): what JetStream then believes to have may not be on the disk,
// and a letter that is there twice is better than none.
func (s *Spool) writeLetters(ctx context.Context, letters []*spool.DeadLetter) (written []buried, err error) {
	s.mu.Lock()
	restarts := s.stats.Restarts
	s.mu.Unlock()
	messages := make([]message, len(letters))
	for i, d := range letters {
		messages[i] = message{letterSubject(0), fmt.Sprintf("letter/%016x/%d/%d", s.writer, restarts, d.Record.Position), encodeLetter(d)}
	}
	seqs, err := s.store.publishAll(ctx, messages)
	for i, d := range letters {
		if seqs[i] != 0 {
			written = append(written, buried{d.Record.Position, seqs[i]})
		}
	}
	return written, err
}

// buried is a rejected utterance whose letter is on the disk.
type buried struct {
	position spool.Position
	letter   uint64
}

// bury enters written letters into the books.
func (s *Spool) bury(written []buried, err error) {
	s.mu.Lock()
	for _, b := range written {
		s.ledger.bury(b.position)
		s.letterCount.last = max(s.letterCount.last, b.letter)
	}
	before := s.letterTrouble
	s.letterTrouble = err
	s.mu.Unlock()
	if len(written) > 0 {
		wake(s.settledC)
		wake(s.readable)
	}
	switch {
	case err != nil && before == nil:
		s.cfg.Log.Error("the spool cannot keep dead letters: what was rejected waits", "error", err)
	case err == nil && before != nil:
		s.cfg.Log.Info("the spool keeps dead letters again")
	}
}

// measureLetters asks how much the letters take.
func (s *Spool) measureLetters(ctx context.Context) {
	state, err := s.store.state(ctx, letterStream)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.letters = spool.Kept{Letters: state.Msgs, Bytes: state.Bytes}
	s.mu.Unlock()
}
