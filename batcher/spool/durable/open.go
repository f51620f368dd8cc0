package durable

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/steno/batcher/spool"
)

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
		s.loops.Wait()
		return nil, errors.Join(err, s.release())
	}
	if cfg.Inspect {
		return s, nil
	}
	s.loops.Go(func() { s.commitLoop(s.life) })
	s.loops.Go(func() { s.keepLoop(s.life) })
	s.loops.Go(func() { s.tidyLoop(s.life) })
	return s, nil
}

func newSpool(cfg Config) *Spool {
	var writer [8]byte
	rand.Read(writer[:])
	token := func() chan struct{} { return make(chan struct{}, 1) }
	return &Spool{
		cfg: cfg, meter: newMeter(cfg.Metrics), writer: binary.LittleEndian.Uint64(writer[:]),
		marks: map[spool.StreamID]*mark{}, forgets: map[spool.StreamID]spool.Position{},
		appended: token(), eased: token(), readable: token(), settledC: token(), commitC: token(), full: token(), closing: token(), room: token(), changing: token(), notes: make(chan noteRequest),
	}
}

// start brings up the store and reads it.
func (s *Spool) start(ctx context.Context) (err error) {
	if !s.cfg.external() {
		if s.dir, err = openDirectory(s.cfg.Dir, s.cfg.Key, s.cfg.Cipher); err != nil {
			return err
		}
		if s.in, err = startEmbedded(ctx, s.cfg); err != nil {
			return err
		}
	}
	if s.store, err = connect(s.cfg, s.in); err != nil {
		return err
	}
	if s.cfg.external() && s.cfg.Lease == nil && !s.cfg.Inspect {
		if s.lease, err = takeLease(ctx, s.cfg, s.store, s.writer); err != nil {
			return err
		}
		s.loops.Go(func() { s.leaseLoop(s.life) })
	}
	row, err := s.store.segments(ctx, s.cfg.Inspect)
	if err != nil {
		return err
	}
	if row, err = s.store.withoutLost(ctx, row, s.cfg.Inspect); err != nil {
		return err
	}
	if err := s.checkStreams(ctx, row); err != nil {
		return err
	}
	if err := s.store.prepare(ctx, s.files(0)); err != nil {
		return err
	}
	if len(row) == 0 {
		row = []segment{firstSegment}
	}
	if row[0] == firstSegment { // make it, or take away the limit of layout 1
		if err := s.store.begin(ctx, firstSegment, s.files(0)); err != nil {
			return err
		}
	}
	if s.in != nil && !s.cfg.Inspect {
		if err := s.store.freeOfLimit(ctx, row[len(row)-1]); err != nil {
			return err
		}
	}
	for _, g := range row {
		s.segments = append(s.segments, &held{segment: g})
	}
	if s.in == nil && !s.cfg.Inspect {
		if err := s.takeOver(ctx); err != nil {
			return err
		}
	}
	if s.dir != nil && !s.cfg.Inspect {
		if err := s.dir.markUsed(); err != nil {
			return err
		}
	}
	if err := s.recover(ctx); err != nil {
		return err
	}
	return s.sweep()
}

// checkStreams refuses to begin anew where a store should be: a stream whose
// description is damaged looks to JetStream as if it had never been.
func (s *Spool) checkStreams(ctx context.Context, row []segment) error {
	if s.dir == nil || !s.dir.used {
		return nil
	}
	names := []string{noteStream}
	if s.dir.letters {
		names = append(names, letterStream)
	}
	for name, described := range s.dir.segments() {
		if described {
			names = append(names, name)
		}
	}
	if len(row) == 0 {
		names = append(names, frameStream)
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

// sweep removes what a crash has left of segments that JetStream was deleting:
// it takes their description away first. Where something is lost all stays.
func (s *Spool) sweep() error {
	if s.dir == nil || s.cfg.Inspect || len(s.damage) > 0 {
		return nil
	}
	for name, described := range s.dir.segments() {
		if described {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir.streams(), name)); err != nil {
			return fmt.Errorf("remove the rest of a deleted segment: %w", err)
		}
	}
	return nil
}

// release gives back what start took, in the order that JetStream asks for:
// the connection, the server, the lock.
func (s *Spool) release() (err error) {
	if s.lease != nil {
		err = s.lease.release(context.WithoutCancel(s.life))
	}
	if s.store != nil {
		s.store.close()
	}
	if s.in != nil {
		s.in.close()
	}
	if s.dir != nil {
		err = errors.Join(err, s.dir.release())
	}
	return err
}
