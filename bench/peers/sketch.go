package main

import (
	"context"
	"sync"
	"time"
)

// sketch is what one writes in an afternoon who has understood the endpoint: a
// call is in one request at most, a request has five calls of five messages at
// most, and goes when five calls have something to say or the first of them has
// waited. It forgets what it has when it ends, tries nothing twice, and takes
// no end of messages.
//
// It is the measure of what ours may cost: what the disk, the books, retries
// and every kind of trouble add to this.
type sketch struct {
	org   *org
	knobs knobs
	sent  sync.WaitGroup
	errs  errorCount

	mu     sync.Mutex // guards what follows
	calls  map[string]*line
	ready  []*line // with something to say and no request under way, the longest first
	flight int
	due    *time.Timer
}

// line is what waits of one call.
type line struct {
	messages []message
	since    time.Time // it is ready
	busy     bool      // a request is under way
}

func newSketch(o *org, k knobs) *sketch {
	s := &sketch{org: o, knobs: k, calls: map[string]*line{}}
	s.due = time.AfterFunc(k.wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fire(time.Now())
	})
	return s
}

func (s *sketch) add(_ context.Context, m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.calls[m.call]
	if l == nil {
		l = &line{}
		s.calls[m.call] = l
	}
	l.messages = append(l.messages, m)
	if !l.busy && len(l.messages) == 1 {
		s.queue(l)
	}
	return nil
}

// queue puts a call in line. The lock is held.
func (s *sketch) queue(l *line) {
	l.since = time.Now()
	s.ready = append(s.ready, l)
	s.fire(l.since)
}

// fire sends what is due at now. The lock is held.
func (s *sketch) fire(now time.Time) {
	for s.flight < s.knobs.flight && (len(s.ready) >= 5 || len(s.ready) > 0 && now.Sub(s.ready[0].since) >= s.knobs.wait) {
		lines := append([]*line(nil), s.ready[:min(5, len(s.ready))]...)
		s.ready = append(s.ready[:0], s.ready[len(lines):]...)
		var batch []message
		for _, l := range lines {
			n := min(5, len(l.messages))
			batch = append(batch, l.messages[:n]...)
			l.messages, l.busy = append([]message(nil), l.messages[n:]...), true
		}
		s.flight++
		s.sent.Go(func() { s.send(lines, batch) })
	}
	if len(s.ready) > 0 && s.flight < s.knobs.flight {
		s.due.Reset(s.ready[0].since.Add(s.knobs.wait).Sub(now))
	}
}

func (s *sketch) send(lines []*line, batch []message) {
	s.errs.note(s.org.bulk(context.Background(), batch))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight--
	for _, l := range lines {
		if l.busy = false; len(l.messages) > 0 {
			s.queue(l)
		}
	}
	s.fire(time.Now())
}

func (s *sketch) close(context.Context) error {
	s.mu.Lock()
	s.knobs.wait = 0
	s.fire(time.Now())
	s.mu.Unlock()
	s.sent.Wait()
	return s.errs.err()
}
