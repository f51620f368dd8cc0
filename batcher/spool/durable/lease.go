package durable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	leaseBucket = "STENO_LEASE"
	leaseKey    = "daemon"
	leaseEvery  = time.Second
	leaseDead   = 5 * time.Second
)

// lease keeps a second daemon from an external JetStream, as the lock keeps one
// from a directory.
//
//	E1  its holder writes it every second, against the revision that it wrote
//	    last
//	E2  whoever wants it takes it against the revision that was seen, once that
//	    has not changed for five seconds by the clock of whoever wants it
//	E3  a holder that finds another's name in it has lost it, for ever: it
//	    appends nothing more and hands nothing more out
//	E4  a frame is published against the sequence of the last one: a holder that
//	    does not know yet that it has lost is refused by the stream
type lease struct {
	kv       jetstream.KeyValue
	key      string
	holder   string
	revision uint64
}

// takeLease waits for as long as it takes to know that nobody holds it. The
// error wraps ErrHeld and names who does.
func takeLease(ctx context.Context, cfg Config, s *store, writer uint64) (*lease, error) {
	kv, err := s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: leaseBucket, Description: "which Steno holds the spool", History: 1, Replicas: cfg.Replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("make the spool's lease: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "a host without a name"
	}
	l := &lease{kv: kv, key: s.names.lease(), holder: fmt.Sprintf("process %d on %s, opening %016x", os.Getpid(), host, writer)}
	seen, err := l.seen(ctx)
	if err != nil {
		return nil, err
	}
	if seen == nil {
		l.revision, err = kv.Create(ctx, l.key, []byte(l.holder))
	} else {
		cfg.Log.Info("the spool waits whether another's lease runs out", "holder", string(seen.Value()))
		if err := l.outlast(ctx, seen); err != nil {
			return nil, err
		}
		l.revision, err = kv.Update(ctx, l.key, []byte(l.holder), seen.Revision())
	}
	if isTaken(err) {
		return nil, fmt.Errorf("%w: another one was quicker to take its lease", ErrHeld)
	}
	if err != nil {
		return nil, fmt.Errorf("take the spool's lease: %w", err)
	}
	return l, nil
}

// seen is the lease as it is; nil: there is none.
func (l *lease) seen(ctx context.Context) (jetstream.KeyValueEntry, error) {
	entry, err := l.kv.Get(ctx, l.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the spool's lease: %w", err)
	}
	return entry, nil
}

// outlast returns once another's lease was not written for long enough (E2). A
// revision that grows, or one that is gone now, is another's who lives.
func (l *lease) outlast(ctx context.Context, first jetstream.KeyValueEntry) error {
	tick := time.NewTicker(leaseEvery / 2)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < leaseDead; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the spool's lease: %w", context.Cause(ctx))
		}
		now, err := l.seen(ctx)
		if err != nil {
			return err
		}
		if now == nil {
			return fmt.Errorf("%w: by %s, which has just closed it; try again", ErrHeld, first.Value())
		}
		if now.Revision() != first.Revision() {
			return fmt.Errorf("%w: by %s", ErrHeld, now.Value())
		}
	}
	return nil
}

// renew is E1. The error wraps ErrHeld where another has it (E3); any other is
// worth another try.
func (l *lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	revision, err := l.kv.Update(ctx, l.key, []byte(l.holder), l.revision)
	if err == nil {
		l.revision = revision
		return nil
	}
	if !isTaken(err) {
		return fmt.Errorf("renew the spool's lease: %w", err)
	}
	entry, err := l.seen(ctx)
	switch {
	case err != nil:
		return err
	case entry == nil:
		return fmt.Errorf("%w: its lease was taken away", ErrHeld)
	case string(entry.Value()) != l.holder:
		return fmt.Errorf("%w: by %s, which has taken its lease", ErrHeld, entry.Value())
	}
	l.revision = entry.Revision() // a renewal whose answer was lost
	return nil
}

// release lets the next one have it at once. If that fails it runs out.
func (l *lease) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := l.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision)); err != nil && !isTaken(err) {
		return fmt.Errorf("give the spool's lease back: %w", err)
	}
	return nil
}

// isTaken tells that something else was written since.
func isTaken(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// leaseLoop renews the lease until ctx is done or it is lost.
func (s *Spool) leaseLoop(ctx context.Context) {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := s.lease.renew(ctx)
		switch {
		case errors.Is(err, ErrHeld):
			s.fence(err)
			return
		case err != nil && ctx.Err() == nil:
			s.cfg.Log.Warn("the spool's lease is not renewed", "error", err)
		}
	}
}

// fence ends what another may do now in our place.
func (s *Spool) fence(err error) {
	s.mu.Lock()
	first := s.fenced == nil
	if first {
		s.fenced = err
	}
	s.mu.Unlock()
	if first {
		s.cfg.Log.Error("the spool is another's", "error", err)
	}
	wake(s.readable)
}

// ours says whether the spool still is: nobody has taken the lease, and whoever
// else holds the right says so. The error wraps ErrHeld, and from then on it is
// not.
func (s *Spool) ours() error {
	s.mu.Lock()
	err := s.fenced
	s.mu.Unlock()
	if err != nil || s.cfg.Lease == nil {
		return err
	}
	if err = s.cfg.Lease(); err != nil {
		err = fmt.Errorf("%w: %w", ErrHeld, err)
		s.fence(err)
	}
	return err
}

// publishFenced is E4. Where the stream has gone on, it is by our own frame,
// whose answer was lost, or by another's.
func (s *Spool) publishFenced(ctx context.Context, f *frame) (seq uint64, err error) {
	if err := s.ours(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	last, at := s.ledger.lastSeq, s.segments.current().segment
	s.mu.Unlock()
	seq, err = s.store.publish(ctx, at.subject(f.partition), f.id(), f.data, jetstream.WithExpectLastSequence(last))
	if !isTaken(err) {
		return seq, err
	}
	var ours bool
	_, err = s.store.fetch(ctx, at.stream(), page{Seq: last + 1, Batch: 1, MaxBytes: pageBytes}, func(found uint64, data []byte) {
		h, _, err := parseHeader(data)
		ours, seq = err == nil && h == f.header, found
	})
	if err != nil {
		return 0, fmt.Errorf("look who has published: %w", err)
	}
	if !ours {
		err := fmt.Errorf("%w: another one's frame %d is where ours belongs", ErrHeld, seq)
		s.fence(err)
		return 0, err
	}
	return seq, nil
}
