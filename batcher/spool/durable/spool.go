package durable

import (
	"context"
	"crypto/rand"
	"encoding/binary"
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
//
// mu is never held across I/O.
type Spool struct {
	cfg    Config
	dir    *directory // nil with an external JetStream
	in     *embedded  // nil with an external JetStream
	store  *store
	meter  meter
	writer uint64          // drawn at random for this opening; half of a frame's name
	life   context.Context // from Open to Close; not a caller's
	stop   context.CancelFunc
	loops  sync.WaitGroup
	closes sync.Once

	mu            sync.Mutex
	ledger        *ledger                           // guarded by mu
	waiting       []*group                          // guarded by mu; in the order of Append
	closed        bool                              // guarded by mu
	trouble       error                             // guarded by mu; why the frame under way is not safe yet
	letterTrouble error                             // guarded by mu; why dead letters are not
	letters       spool.Kept                        // guarded by mu; as last measured
	letterCount   letterCount                       // guarded by mu
	marks         map[spool.StreamID]*mark          // guarded by mu; of every stream that is not forgotten
	forgets       map[spool.StreamID]spool.Position // guarded by mu; of which frames on disk still speak
	unsaid        []forgotten                       // guarded by mu; forgets that no note holds yet
	damage        []Damage                          // guarded by mu
	recovery      spool.Recovery                    // guarded by mu; until Recover takes it
	stats         Stats                             // guarded by mu; what Stats does not compute
	holes         int                               // guarded by mu; frames that JetStream says are missing

	appended chan struct{} // size 1: the commit loop has something to do
	readable chan struct{} // size 1: Read has something to do
	settledC chan struct{} // size 1: there is something to note soon
	commitC  chan struct{} // size 1: there is something to note by and by
	full     chan struct{} // size 1: trim now
	room     chan struct{} // size 1: there was a trim
	changing chan struct{} // size 1: full while dead letters are retried or dropped
	mending  chan struct{} // size 1: full while the embedded server is started anew
}

// Open takes the directory, starts the store, reads what is there and returns
// a spool that is ready. It logs its progress, and gives up when ctx is done.
// Errors wrap ErrHeld, ErrNewer or ErrKey where they are the reason.
func Open(ctx context.Context, cfg Config) (*Spool, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	s := newSpool(cfg)
	s.life, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, errors.Join(err, s.release())
	}
	if cfg.Inspect {
		return s, nil
	}
	s.loops.Go(func() { s.commitLoop(s.life) })
	s.loops.Go(func() { s.keepLoop(s.life) })
	return s, nil
}

func newSpool(cfg Config) *Spool {
	var writer [8]byte
	rand.Read(writer[:])
	token := func() chan struct{} { return make(chan struct{}, 1) }
	return &Spool{
		cfg: cfg, meter: newMeter(cfg.Metrics), writer: binary.LittleEndian.Uint64(writer[:]),
		marks: map[spool.StreamID]*mark{}, forgets: map[spool.StreamID]spool.Position{},
		appended: token(), readable: token(), settledC: token(), commitC: token(), full: token(), room: token(), changing: token(), mending: token(),
	}
}

// start brings up the store and reads it.
func (s *Spool) start(ctx context.Context) (err error) {
	if s.cfg.URL == "" {
		if s.dir, err = openDirectory(s.cfg.Dir, s.cfg.Key, s.cfg.Cipher); err != nil {
			return err
		}
		if s.in, err = startEmbedded(s.cfg); err != nil {
			return err
		}
	}
	if s.store, err = connect(s.cfg.URL, s.in); err != nil {
		return err
	}
	if err := s.checkStreams(ctx); err != nil {
		return err
	}
	if err := s.store.prepare(ctx, s.cfg); err != nil {
		return err
	}
	if s.dir != nil {
		if err := s.dir.markUsed(); err != nil {
			return err
		}
	}
	return s.recover(ctx)
}

// checkStreams refuses to begin anew where a store should be: a stream whose
// description is damaged looks to JetStream as if it had never been.
func (s *Spool) checkStreams(ctx context.Context) error {
	if s.dir == nil {
		return nil
	}
	var names []string
	if s.dir.used {
		names = append(names, frameStream, noteStream)
	}
	if s.dir.letters {
		names = append(names, letterStream)
	}
	for _, name := range names {
		ok, err := s.store.exists(ctx, name)
		if err != nil {
			return fmt.Errorf("look for the stream %s: %w", name, err)
		}
		if !ok {
			return fmt.Errorf("the store in %s is damaged: the stream %s was there and is not found; %s", s.cfg.Dir, name, s.in.log.lastError())
		}
	}
	return nil
}

// release gives back what start took, in the order that JetStream asks for:
// the connection, the server, the lock.
func (s *Spool) release() error {
	if s.store != nil {
		s.store.close()
	}
	if s.in != nil {
		s.in.close()
	}
	if s.dir != nil {
		return s.dir.release()
	}
	return nil
}

// Close refuses further groups, notes what was settled, and stops the store.
// A group whose frame was under way gets ErrClosed: it may be stored.
func (s *Spool) Close() error {
	var err error
	s.closes.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.stop()
		s.loops.Wait()
		err = s.release()
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

// Settle counts the records' fates; the next note, a tenth of a second later
// at most, makes them last.
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
