package client

import (
	"context"
	"fmt"
	"time"
)

// phase is how far a stream has come on the connection of the moment.
type phase int

const (
	offline phase = iota + 1 // its open is not written, or there is no connection
	opening                  // its open is written
	refused                  // the server wants another open later
	open                     // utterances may be written
	closing                  // its close is written
	done                     // it is over; Stream.err says why
)

// Stream is one source of utterances of one call. Its methods may be called
// from many goroutines; utterances that are sent at the same time get their
// order by chance.
type Stream struct {
	c    *Client
	id   string
	open []byte // the message, as it is written on every connection
	head []byte // what stands before an utterance's seq

	// Guarded by c.mu.
	order    int // among the client's streams
	phase    phase
	queued   bool      // in session.ready
	retryAt  time.Time // with refused
	out      outbox
	partials []partial // newest of each speaker, not yet written
	reason   string    // of Close; empty: it was not called
	ended    bool      // a close was written, on whichever connection
	known    bool      // the server has opened it, on whichever connection
	err      error     // with done; ErrClosed where all is well
	changed  chan struct{}
}

// partial waits for being written. A newer one of the same speaker replaces it.
type partial struct {
	channel, participantID string
	message                []byte
}

// maxPartials is how many speakers' partials wait for being written.
const maxPartials = 16

func newStream(c *Client, o Open) *Stream {
	name := encode(o.Stream)
	return &Stream{
		c:     c,
		id:    o.Stream,
		phase: offline,
		out:   newOutbox(),
		head:  fmt.Appendf(nil, `{"type":"utterance","stream":%s,"seq":`, name),
		open: encode(struct {
			Type string `json:"type"`
			Open
		}{"open", o}),
	}
}

// Opened waits until the server has taken the stream. It returns a StreamError
// where it has not.
func (s *Stream) Opened(ctx context.Context) error {
	return s.await(ctx, func() (bool, error) {
		if s.known {
			return true, nil
		}
		return false, s.over()
	})
}

// Send takes an utterance and returns its seq. It returns before the server has
// it; OnAck tells when that is safe. While as many utterances are
// unacknowledged as the server's window allows (256 before it has named one),
// Send waits; where it returns an error, the utterance was not taken.
func (s *Stream) Send(ctx context.Context, u Utterance) (seq uint64, err error) {
	body, err := u.body()
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	err = s.await(ctx, func() (bool, error) {
		if err := s.over(); err != nil {
			return false, err
		}
		if s.reason != "" || s.c.closing {
			return false, ErrClosed
		}
		if s.out.full() {
			return false, nil
		}
		seq = s.out.put(body)
		s.c.stats.Sent++
		s.forgetPartial(u.Channel, u.ParticipantID)
		s.enqueue()
		return true, nil
	})
	return seq, err
}

// Partial shows what a speaker is saying, as far as that is possible now: it is
// dropped while there is no connection, or when a newer one or the utterance
// itself comes before it was written. It never waits.
func (s *Stream) Partial(p Partial) {
	b := encode(struct {
		Type   string `json:"type"`
		Stream string `json:"stream"`
		Partial
	}{"partial", s.id, p})
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.phase != open || s.reason != "" || len(b) > maxFrame {
		return
	}
	s.forgetPartial(p.Channel, p.ParticipantID)
	if len(s.partials) < maxPartials {
		s.partials = append(s.partials, partial{p.Channel, p.ParticipantID, b})
		s.enqueue()
	}
}

// Close ends the stream: it takes no more utterances, waits until all are
// acknowledged, tells the server, and waits for its confirmation. With the
// reason "end", which an empty one stands for, the call is over once all its
// streams have ended. When ctx is done first its error is returned, and the
// closing goes on without the caller.
func (s *Stream) Close(ctx context.Context, reason string) error {
	if reason == "" {
		reason = "end"
	}
	return s.await(ctx, func() (bool, error) {
		if s.phase == done {
			if s.err == ErrClosed {
				return true, nil
			}
			return false, s.err
		}
		if s.c.err != nil {
			return false, s.c.err
		}
		if s.reason == "" {
			s.reason = reason
			s.tell()
			s.enqueue()
		}
		return false, nil
	})
}

// over returns why nothing can be sent any more, or nil. The lock is held.
func (s *Stream) over() error {
	if s.phase == done {
		return s.err
	}
	return s.c.err
}

// await calls try, with the lock held, until it is done or has an error: at
// once, and whenever the stream has changed.
func (s *Stream) await(ctx context.Context, try func() (bool, error)) error {
	for {
		s.c.mu.Lock()
		ok, err := try()
		if ok || err != nil {
			s.c.mu.Unlock()
			return err
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.c.mu.Unlock()
		select {
		case <-changed:
		case <-s.c.stopped:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tell wakes those who wait in await. The lock is held.
func (s *Stream) tell() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func (s *Stream) forgetPartial(channel, participantID string) {
	for i, p := range s.partials {
		if p.channel == channel && p.participantID == participantID {
			s.partials = append(s.partials[:i], s.partials[i+1:]...)
			return
		}
	}
}

// finish ends the stream's life. The lock is held.
func (s *Stream) finish(err error) {
	s.phase, s.err = done, err
	s.partials = nil
	delete(s.c.streams, s.id)
	s.tell()
	s.c.signal() // a closing client may be finished with that
}
