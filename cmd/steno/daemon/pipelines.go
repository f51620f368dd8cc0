package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// pipelines is a daemon's set of pipelines, which may change while it runs:
//
//	S1  a pipeline is in the set from add to remove, or to the end of the daemon;
//	    one that has ended by itself stays, so that people see why. In a cluster
//	    its partition is opened anew, where it is still ours
//	S2  it runs from open on, or where the set is open already, from add on
//	S3  who removes one waits until it has stopped in the order of the flow, its
//	    spool closed
//	S4  the end of open's context stops all of them; one that fails stops the
//	    others only where there can be no others
type pipelines struct {
	mu     sync.Mutex // guards what follows; held across no wait
	named  map[string]*worker
	sorted []*worker // the same by name; replaced, never changed
	where  *ground   // nil until open
}

// ground is what pipelines run on.
type ground struct {
	ctx, hard context.Context
	group     *errgroup.Group
	alone     bool // the failure of one is the daemon's; else, and in a cluster, the others go on
}

// worker is a pipeline in the set.
type worker struct {
	*pipeline
	stop  context.CancelFunc      // nil until it runs
	cut   context.CancelCauseFunc // the same; ends it at once
	ended chan struct{}           // closed when run has returned
	err   error                   // run's, once ended is closed
}

// add puts a pipeline into the set, under a name that is free there.
func (s *pipelines) add(name string, p *pipeline) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.named[name]; taken {
		return fmt.Errorf("BUG: there is a pipeline %q already", name)
	}
	if s.named == nil {
		s.named = map[string]*worker{}
	}
	w := &worker{pipeline: p, ended: make(chan struct{})}
	s.named[name] = w
	s.sort()
	if s.where != nil {
		w.start(s.where)
	}
	return nil
}

// open runs what is in the set, and what will be added.
func (s *pipelines) open(g *ground) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.where = g
	for _, w := range s.named {
		w.start(g)
	}
}

// start runs the worker on g.
func (w *worker) start(g *ground) {
	ctx, stop := context.WithCancel(g.ctx)
	hard, cut := context.WithCancelCause(g.hard)
	w.stop, w.cut = stop, cut
	g.group.Go(func() error {
		defer cut(nil)
		defer stop()
		w.err = w.run(ctx, hard)
		close(w.ended)
		switch {
		case w.cfg.member != nil:
			if ctx.Err() == nil { // else who has it leave tells
				w.cfg.member.revive(g.ctx, w)
			}
			return nil
		case w.err == nil, g.alone, g.ctx.Err() != nil:
			return w.err
		case ctx.Err() == nil: // else who removes it tells
			w.log.Error("nothing works for the org any more: the others go on", "error", w.err)
		}
		return nil
	})
}

// remove stops a pipeline, waits for its end and takes it out. It returns what
// its run has returned.
func (s *pipelines) remove(name string) error {
	s.mu.Lock()
	w := s.named[name]
	s.mu.Unlock()
	if w == nil {
		return fmt.Errorf("BUG: there is no pipeline %q", name)
	}
	w.stop()
	<-w.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.named, name)
	s.sort()
	return w.err
}

// leave is remove for a partition that is somebody else's from now on. With
// fenced nothing is finished. When ctx is done first the pipeline stays.
func (s *pipelines) leave(ctx context.Context, name string, fenced bool) error {
	w := s.find(name)
	if w == nil {
		return nil // its opening failed
	}
	if fenced {
		w.cut(errFenced)
	}
	w.stop()
	select {
	case <-w.ended:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.named, name)
	s.sort()
	if fenced {
		return nil
	}
	return w.err
}

// errFenced ends a pipeline whose partition is another's already.
var errFenced = errors.New("the partition is another daemon's")

// all are the workers, by name.
func (s *pipelines) all() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted
}

// sort makes sorted anew. The lock is held.
func (s *pipelines) sort() {
	s.sorted = make([]*worker, 0, len(s.named))
	for _, name := range slices.Sorted(maps.Keys(s.named)) {
		s.sorted = append(s.sorted, s.named[name])
	}
}

// find returns the pipeline of that name, nil if there is none.
func (s *pipelines) find(name string) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named[name]
}

// close closes pipelines that never ran.
func (s *pipelines) close() error {
	var all []error
	for _, w := range s.all() {
		all = append(all, w.close())
	}
	return errors.Join(all...)
}
