package client

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// maxWait caps the wait that a server may ask for.
	maxWait = time.Minute

	// reopenAfter is the wait of a stream whose refusal is temporary by its
	// code, but names no time.
	reopenAfter = 2 * time.Second
)

// errRefusedTwice ends a connection on which a stream cannot go on (B8).
var errRefusedTwice = errors.New("the server does not take the utterances that it has asked for")

// event is what a hook is to be told, once the lock is free.
type event struct {
	kind    string // ack, nack or delivered
	about   Nack   // Stream and Seq of all kinds
	latency time.Duration
}

// apply changes what an answer of the server changes. It appends what the hooks
// are to be told to events, and returns an error where this connection leads
// nowhere. Answers of an unknown type, or about what is over, are ignored.
func (c *Client) apply(m *reply, now time.Time, events []event) ([]event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return events, nil
	}
	switch m.Type {
	case "reconnect":
		c.session.leaving = true
		c.session.waitFor(m.After.duration(), now)
		return events, nil
	case "error":
		return c.applyError(m, now, events), nil
	case "delivered":
		return append(events, event{"delivered", Nack{Stream: m.Stream, Seq: m.Seq}, m.LatencyMs.duration()}), nil
	}
	s := c.stream(m.Stream)
	if s == nil {
		return events, nil
	}
	switch m.Type {
	case "opened":
		return s.applyOpened(m, events), nil
	case "ack":
		return s.applyAck(s.out.ack(m.Seq), events), nil
	case "nack":
		return s.applyNack(m, events)
	case "closed":
		return s.applyClosed(m, events), nil
	}
	return events, nil
}

// stream finds the stream that an answer names; while there is only one the
// name may be left out.
func (c *Client) stream(id string) *Stream {
	if id == "" && len(c.streams) == 1 {
		for _, s := range c.streams {
			return s
		}
	}
	return c.streams[id]
}

// waitFor keeps the server's word on the next connection. A fifth is added at
// random, lest all clients of a server come back in the same moment.
func (n *session) waitFor(d time.Duration, now time.Time) {
	d = min(d, maxWait)
	n.notBefore = now.Add(d + rand.N(d/5+1))
}

func (s *Stream) applyOpened(m *reply, events []event) []event {
	if s.phase != opening {
		return events
	}
	if m.PingEvery > 0 {
		// Within what makes sense, whatever the server says.
		s.c.session.pingEvery = min(max(m.PingEvery.duration(), time.Second), 5*time.Minute)
	}
	if !s.known && m.Acked > 0 {
		s.c.log.Info("stream is known to the server from before", "stream", s.id, "acked", m.Acked)
	}
	s.phase, s.known = open, true
	events = s.applyAck(s.out.opened(m.Epoch, m.Acked, m.Window), events)
	s.tell() // it is known, and the window may have changed
	s.enqueue()
	return events
}

// applyAck follows what has been settled, of the stream's oldest.
func (s *Stream) applyAck(settled int, events []event) []event {
	if settled == 0 {
		return events
	}
	s.c.stats.Acked += uint64(settled)
	s.progress()
	return append(events, event{kind: "ack", about: Nack{Stream: s.id, Seq: s.out.base - 1}})
}

// progress makes use of room in the window.
func (s *Stream) progress() {
	s.c.session.settled = true
	s.tell()
	s.enqueue()
}

func (s *Stream) applyNack(m *reply, events []event) ([]event, error) {
	if m.Code == "gap" {
		if s.phase != open {
			return events, nil
		}
		if !s.out.gap(m.Seq, m.Expected) {
			return events, errRefusedTwice
		}
		s.enqueue()
		return events, nil
	}
	if !s.out.nack(m.Seq) {
		return events, nil
	}
	s.c.stats.Nacked++
	s.progress()
	return append(events, event{kind: "nack", about: Nack{s.id, m.Seq, m.Code, m.Message}}), nil
}

func (s *Stream) applyClosed(m *reply, events []event) []event {
	events = s.applyAck(s.out.ack(m.Acked), events)
	if s.phase == closing {
		s.finish(ErrClosed)
		return events
	}
	return s.fail("closed", "the server has closed the stream", events)
}

// applyError follows an answer to an open or a close. One that names no stream
// is about the connection, which the server is about to close.
func (c *Client) applyError(m *reply, now time.Time, events []event) []event {
	c.log.Warn("the server has refused something", "stream", m.Stream, "code", m.Code, "error", m.Message)
	s := c.streams[m.Stream]
	temporary := m.RetryAfter > 0 || m.Code == "overloaded" || m.Code == "internal"
	switch {
	case s == nil:
		if m.Stream == "" && m.RetryAfter > 0 {
			c.session.waitFor(m.RetryAfter.duration(), now)
		}
	case s.phase != opening && s.phase != closing:
	case s.ended && s.out.empty() && !temporary:
		// The server no longer knows a stream that we have closed before: the
		// confirmation was lost with a connection.
		s.finish(ErrClosed)
	case s.phase == opening && temporary:
		wait := reopenAfter
		if m.RetryAfter > 0 {
			wait = min(m.RetryAfter.duration(), maxWait)
		}
		s.phase, s.retryAt = refused, now.Add(wait)
		c.session.refused = append(c.session.refused, s)
		c.signal() // the writer must know the time
	case s.phase == opening:
		events = s.fail(m.Code, m.Message, events)
	}
	return events
}

// fail ends a stream that the server will not have, with all that it holds.
func (s *Stream) fail(code, text string, events []event) []event {
	for i, it := range s.out.held {
		if !it.final {
			s.c.stats.Nacked++
			events = append(events, event{kind: "nack", about: Nack{s.id, s.out.base + uint64(i), code, text}})
		}
	}
	s.out.held = nil
	s.finish(&StreamError{s.id, code, text})
	return events
}

// tellHooks reports events in their order. The lock is not held.
func (c *Client) tellHooks(events []event) {
	for _, e := range events {
		switch {
		case e.kind == "ack" && c.cfg.OnAck != nil:
			c.cfg.OnAck(e.about.Stream, e.about.Seq)
		case e.kind == "nack" && c.cfg.OnNack != nil:
			c.cfg.OnNack(e.about)
		case e.kind == "delivered" && c.cfg.OnDelivered != nil:
			c.cfg.OnDelivered(e.about.Stream, e.about.Seq, e.latency)
		}
	}
}
