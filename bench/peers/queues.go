package main

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"
)

// single is one request a message, with a queue and a goroutine for each call,
// which keeps its order.
type single struct {
	org   *org
	slots chan struct{} // requests in flight

	mu     sync.Mutex
	queues map[string]chan message
	done   sync.WaitGroup
	errs   errorCount
}

func newSingle(o *org, k knobs) *single {
	return &single{org: o, slots: make(chan struct{}, k.flight), queues: map[string]chan message{}}
}

func (s *single) add(ctx context.Context, m message) error {
	s.mu.Lock()
	q := s.queues[m.call]
	if q == nil {
		q = make(chan message, 256)
		s.queues[m.call] = q
		s.done.Go(func() { s.drain(q) })
	}
	s.mu.Unlock()
	select {
	case q <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *single) drain(q chan message) {
	for m := range q {
		s.slots <- struct{}{}
		s.errs.note(s.org.single(context.Background(), m))
		<-s.slots
	}
}

func (s *single) close(context.Context) error {
	s.mu.Lock()
	for _, q := range s.queues {
		close(q)
	}
	s.mu.Unlock()
	s.done.Wait()
	return s.errs.err()
}

// lambda is what ServiceCloudVoiceLambdas make of Kinesis: BatchSize 5,
// MaximumBatchingWindowInSeconds 1, ParallelizationFactor 4 and one shard, so
// four lanes by the call's hash, each of which waits for its own answer; no
// retry, and errors are swallowed.
type lambda struct {
	org   *org
	lanes [4]chan message
	seed  maphash.Seed
	done  sync.WaitGroup
	errs  errorCount
}

func newLambda(o *org) *lambda {
	l := &lambda{org: o, seed: maphash.MakeSeed()}
	for i := range l.lanes {
		l.lanes[i] = make(chan message, 10_000) // the stream keeps what waits
		l.done.Go(func() { l.run(l.lanes[i]) })
	}
	return l
}

func (l *lambda) add(ctx context.Context, m message) error {
	select {
	case l.lanes[maphash.String(l.seed, m.call)%4] <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lambda) run(lane chan message) {
	for m := range lane {
		batch := []message{m}
		window := time.NewTimer(time.Second)
	fill:
		for len(batch) < 5 {
			select {
			case m, ok := <-lane:
				if !ok {
					break fill
				}
				batch = append(batch, m)
			case <-window.C:
				break fill
			}
		}
		window.Stop()
		l.errs.note(l.org.bulk(context.Background(), batch))
	}
}

func (l *lambda) close(context.Context) error {
	for _, lane := range l.lanes {
		close(lane)
	}
	l.done.Wait()
	return l.errs.err()
}

// errorCount remembers the first of many errors.
type errorCount struct {
	mu    sync.Mutex
	first error
}

func (e *errorCount) note(err error) {
	if err == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first == nil {
		e.first = err
	}
}

func (e *errorCount) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first != nil {
		return errors.Join(errors.New("messages were lost"), e.first)
	}
	return nil
}
