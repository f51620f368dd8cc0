package durable

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/steno/batcher/spool"
)

// Spool is a spool.Spool on JetStream.
//
//	Append → waiting → commit loop → [frame] → STENO_SPOOL
//	                        └→ ledger → Read → Settle → keep loop → [note] → STENO_SETTLED
//	                                                    tidy loop → what is settled goes
//
// mu is never held across I/O.
type Spool struct {
	cfg    Config
	dir    *directory // nil with an external JetStream
	in     *embedded  // nil with an external JetStream
	store  *store
	lease  *lease // nil with the embedded one
	meter  meter
	writer uint64          // drawn at random for this opening; half of a frame's name
	life   context.Context // from Open to Close; not a caller's
	stop   context.CancelFunc
	loops  sync.WaitGroup
	closes sync.Once
	groups sync.Pool // *group; spare ones

	mu            sync.Mutex
	ledger        *ledger                           // guarded by mu
	waiting       []*group                          // guarded by mu; in the order of Append
	urgent        bool                              // guarded by mu; something that waits is
	wanted        int                               // guarded by mu; groups that the commit loop wants to be woken for; 0: any
	taken         bool                              // guarded by mu; the reader has taken something since the last frame was begun
	yielding      bool                              // guarded by mu; the next frame waits for the reader
	closed        bool                              // guarded by mu
	trouble       error                             // guarded by mu; why the frame under way is not safe yet
	fenced        error                             // guarded by mu; the spool is another's
	marks         map[spool.StreamID]*mark          // guarded by mu; of every stream that is not forgotten
	forgets       map[spool.StreamID]spool.Position // guarded by mu; of which frames on disk still speak
	unsaid        []forgotten                       // guarded by mu; forgets that no note holds yet
	damage        []Damage                          // guarded by mu
	recovery      spool.Recovery                    // guarded by mu; until Recover takes it
	stats         Stats                             // guarded by mu; what Stats does not compute
	letterTrouble error                             // guarded by mu; why dead letters are not safe
	letters       spool.Kept                        // guarded by mu; as last measured
	letterCount   letterCount                       // guarded by mu
	holes         int                               // guarded by mu; frames that JetStream says are missing
	segments      segmentRow                        // guarded by mu; its end is the commit loop's to change, the rest the tidy loop's
	rollDue       bool                              // guarded by mu; the tidy loop wants a new segment
	rollNext      time.Time                         // guarded by mu; not before then
	moves         int                               // guarded by mu; how often frames went to other sequences

	notesFailed     int       // guarded by mu; in a row
	notesDistrusted bool      // guarded by mu; the store was started anew, and the notes' file must be written anew
	unnoted         error     // the keep loop's, at its end
	distrusted      bool      // the commit loop's; the store was started anew, and the current segment is not to be written to
	packed          []segment // the tidy loop's; another one has taken their place, and they are still there

	appended chan struct{} // size 1: the commit loop has something to do
	eased    chan struct{} // size 1: the next frame need not wait for the reader any more
	readable chan struct{} // size 1: Read has something to do
	settledC chan struct{} // size 1: there is something to note soon
	commitC  chan struct{} // size 1: there is something to note by and by
	full     chan struct{} // size 1: trim now
	closing  chan struct{} // size 1: a segment was closed
	room     chan struct{} // size 1: there was a trim
	notes    chan noteRequest
	changing chan struct{} // size 1: full while dead letters are retried or dropped
}

// Close refuses further groups, notes what was settled, and stops the store. An
// error may say that not all of it is noted.
// A group whose frame was under way gets ErrClosed: it may be stored.
func (s *Spool) Close() error {
	var err error
	s.closes.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.stop()
		s.loops.Wait()
		err = errors.Join(s.unnoted, s.release())
	})
	return err
}

// Recover returns what was found at the opening, once.
func (s *Spool) Recover(ctx context.Context) (spool.Recovery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.Recovery{}, spool.ErrClosed
	}
	found := s.recovery
	s.recovery = spool.Recovery{}
	return found, ctx.Err()
}

func (s *Spool) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Account returns the sums of this moment.
func (s *Spool) Account() spool.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.account()
}

// Settle counts the records' fates; the next note, a twentieth of a second
// later, makes them last.
func (s *Spool) Settle(settled ...spool.Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.ErrClosed
	}
	defer wake(s.settledC)
	for _, one := range settled {
		if err := s.ledger.settle(one); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops a stream's mark, and has the next note say so.
func (s *Spool) Forget(id spool.StreamID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.ErrClosed
	}
	if s.marks[id] == nil {
		return nil
	}
	delete(s.marks, id)
	s.forgets[id] = s.ledger.last
	s.unsaid = append(s.unsaid, forgotten{id, s.ledger.last})
	wake(s.settledC)
	return nil
}

// Health names the most pressing of what is wrong.
func (s *Spool) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return spool.ErrClosed
	case s.fenced != nil:
		return s.fenced
	case s.trouble != nil:
		return s.trouble
	case s.letterTrouble != nil:
		return fmt.Errorf("the spool cannot keep dead letters: %w", s.letterTrouble)
	case len(s.damage) > 0:
		return fmt.Errorf("the spool is damaged: %s (%d places)", s.damage[0], len(s.damage))
	}
	return s.tooOld()
}

// tooOld is why nothing more may come in while something has waited for longer
// than Config.MaxAge. The caller holds mu.
func (s *Spool) tooOld() error {
	if s.cfg.MaxAge == 0 {
		return nil
	}
	oldest := s.ledger.oldest()
	if oldest.IsZero() || time.Since(oldest) <= s.cfg.MaxAge {
		return nil
	}
	return fmt.Errorf("the oldest utterance waits since %s, longer than %v: nothing more is acknowledged until it is settled",
		oldest.UTC().Format(time.RFC3339), s.cfg.MaxAge)
}

// wake leaves a token where there is none.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// errFull is Health's while Append waits for room.
var errFull = errors.New("the spool is full: nothing more is acknowledged until calls settle")
