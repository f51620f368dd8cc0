package ingest

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/batcher/spool"
)

// takeOpen opens a stream on this connection.
func (c *connection) takeOpen(m *message) (ok bool) {
	o, ignored, f := m.opening(c.server.cfg.Org)
	if f != nil {
		called, _ := name("stream", m.stream)
		return c.say(failure(called, f))
	}
	c.server.metrics.ignoredFields.Add(ignored)
	if _, taken := c.leases[o.id.ID]; taken {
		return c.say(failure(o.id.ID, &fault{codeDuplicateStream, "stream is open on this connection already"}))
	}
	if len(c.leases) >= c.server.cfg.MaxStreams {
		c.close(closing{code: closeTooMany, text: fmt.Sprintf("at most %d streams on a connection", c.server.cfg.MaxStreams)})
		return false
	}
	return c.attach(o)
}

// attach makes this connection the owner of the stream, taking it from another
// one if need be. The other one may be in the middle of an append, whose
// outcome must be known before this client is told how far the stream is safe.
func (c *connection) attach(o *opening) (ok bool) {
	patience := time.NewTimer(takeoverWait)
	defer patience.Stop()
	for {
		older, ok := c.tryAttach(o)
		if older == nil {
			return ok
		}
		select {
		case <-older.released:
		case <-patience.C:
			return c.say(overloaded(o.id.ID, "the stream's older connection is still storing what it said", retryAfter.Milliseconds()))
		}
	}
}

// tryAttach attaches the stream if nobody is in the way, else returns the
// connection to wait for. ok is false when this connection is closing.
func (c *connection) tryAttach(o *opening) (older *connection, ok bool) {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closing.code != 0 {
		return nil, false
	}
	g := &s.registry
	if g.streams[o.id] == nil && len(g.streams) >= s.cfg.MaxStreamsTotal {
		c.owe(step{body: overloaded(o.id.ID, "too many streams", retryAfter.Milliseconds())})
		return nil, true
	}
	if c.overtaken(g.streams[o.id]) {
		c.closeLocked(closing{code: websocket.CloseTryAgainLater, text: "a later connection has a stream of this one: reconnect"})
		return nil, false
	}
	if older := c.displace(g.streams[o.id]); older != nil {
		return older, true
	}
	st := c.own(o)
	c.leases[o.id.ID] = lease{st, o}
	c.owe(step{stream: st, upto: st.received, body: encode(openedAnswer{
		Type: "opened", Stream: o.id.ID, Epoch: st.epoch, Acked: st.received,
		Window: s.cfg.Window, PingEvery: s.cfg.PingEvery.Milliseconds(), ServerTime: time.Now().UnixMilli(),
	})})
	return nil, true
}

// overtaken says whether a stream is open on a connection that was made after
// this one. Then its client has most likely given this one up, and what it had
// said here was held up on the way: were it to take the stream over, the client
// would be told that somebody else has, and leave for good. One that is there
// after all comes back, and is the later one then. An engine does not come back
// for a stream, so of its connections the last word counts. The lock is held.
func (c *connection) overtaken(known *stream) bool {
	if known == nil || known.owner == nil || known.owner == c || known.owner.closing.code != 0 {
		return false
	}
	return c.engine == nil && known.owner.engine == nil && known.owner.since.After(c.since)
}

// displace ends the connection that owns a stream, and returns it where it
// must be waited for. What an engine has said there is made safe first: it
// would not say it again. The lock is held.
func (c *connection) displace(known *stream) (older *connection) {
	if known == nil || known.owner == nil || known.owner == c {
		return nil
	}
	older = known.owner
	older.closeLocked(closing{
		code: closeReplaced, text: "another connection has taken a stream over", hard: older.engine == nil,
	})
	return known.owner
}

// own makes this connection the owner of a stream that nobody owns. The lock is
// held.
func (c *connection) own(o *opening) *stream {
	st := c.server.registry.stream(o)
	st.owner, st.leaving = c, false
	c.streams[st] = struct{}{}
	if o.delivered {
		c.server.listened.Store(true)
	}
	c.tellOpened(o)
	return st
}

// arrival is a valid utterance on its way into a turn.
type arrival struct {
	record *spool.Record
	given  bool // the client gave the message id, so it may be known from elsewhere
	id     messageHash
}

// accept lets the stream's rules decide about seq. f is what is wrong with the
// utterance itself, which counts only when its turn has come; else a is it.
func (c *connection) accept(l lease, seq uint64, f *fault, a *arrival) (ok bool) {
	s := c.server
	if a != nil && a.given {
		a.id = s.registry.hasher.hash(a.record.MessageID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closing.code != 0 {
		return false
	}
	st, called := l.stream, l.opening.id.ID
	switch st.offer(seq) {
	case repeated:
		s.metrics.duplicates.Inc()
		c.owe(step{stream: st, upto: st.received})
	case outOfOrder:
		s.metrics.nacked(codeGap)
		c.owe(step{stream: st, upto: st.received, body: nackGap(called, seq, st.expected())})
	case afterEnd:
		s.metrics.nacked(codeCallEnded)
		c.owe(step{stream: st, upto: st.received, body: nack(called, seq, &fault{codeCallEnded, "the stream has ended with seq " + fmt.Sprint(st.received)})})
	case accepted:
		if f != nil {
			s.metrics.nacked(f.code)
			c.owe(step{stream: st, upto: seq, body: nack(called, seq, f)})
			break
		}
		c.keep(st, a)
		c.owe(step{stream: st, upto: seq})
	}
	return true
}

// keep puts an utterance into the turn, unless the call has it already under
// the id that the client gave it. The lock is held.
func (c *connection) keep(st *stream, a *arrival) {
	if a.given {
		g := &c.server.registry
		if g.seen(st.call, a.id, c.holder) {
			c.server.metrics.duplicates.Inc()
			return
		}
		p, first := g.remember(st.call, a.id, c.holder, a.record.Received)
		if first {
			signal(c.server.wake)
		}
		t := c.current()
		t.ids = append(t.ids, p)
	}
	st.used = true
	a.record.Epoch = st.epoch
	t := c.current()
	t.records = append(t.records, a.record)
}
