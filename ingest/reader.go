package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// read is the connection's reader. It takes messages in until the connection is
// closing, then only keeps the socket empty until the other side has closed too.
func (c *connection) read() {
	c.watch()
	for c.next() {
	}
	for err := error(nil); err == nil; {
		_, _, err = c.ws.NextReader()
	}
	c.server.mu.Lock()
	c.readEnded = true
	close(c.gone)
	c.work()
	c.server.mu.Unlock()
}

// watch sets what happens at control frames. Each is a sign of life. A close
// frame is answered by the committer, once everything before it is answered.
func (c *connection) watch() {
	c.ws.SetPongHandler(func(string) error {
		c.alive()
		return nil
	})
	c.ws.SetPingHandler(func(data string) error {
		c.alive()
		// A pong that cannot be written is no reason to stop reading.
		_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeWait))
		return nil
	})
	c.ws.SetCloseHandler(func(int, string) error { return nil })
}

// alive puts the idle deadline off, at most twenty times in Config.Idle: moving
// it costs as much as reading a frame.
func (c *connection) alive() {
	now, idle := time.Now(), c.server.cfg.Idle
	if now.Sub(c.putOff) < idle/20 {
		return
	}
	c.putOff = now
	_ = c.ws.SetReadDeadline(now.Add(idle))
}

// next waits for a frame and handles it. It returns false when the connection is
// closing. What this function and those above it have on the stack is what a
// silent connection holds: while it is little, the collector halves the stack
// that handling a frame has grown.
func (c *connection) next() (ok bool) {
	c.alive()
	kind, r, err := c.ws.NextReader()
	if err != nil {
		c.unreadable(err)
		return false
	}
	return c.frame(kind, r)
}

// frame reads what follows of a frame and handles it.
func (c *connection) frame(kind int, r io.Reader) (ok bool) {
	buf := c.server.spares.buffer()
	defer c.server.spares.putBuffer(buf)
	if err := buf.fill(r, c.server.cfg.MaxFrame); err != nil {
		c.unreadable(err)
		return false
	}
	take := c.takeMessages
	if c.engine != nil {
		take = c.engine.take
	}
	return c.takeFrame(take, incoming{kind, buf.Bytes(), time.Now()})
}

// unreadable takes in that nothing more can be read.
func (c *connection) unreadable(err error) {
	if c.engine != nil {
		c.takeFrame(func(incoming) bool { return c.engine.over(err) }, incoming{})
	}
	c.lost(err)
}

// lost begins the end of a connection that cannot be read any further.
func (c *connection) lost(err error) {
	if err == errTooBig {
		c.close(closing{code: websocket.CloseMessageTooBig, text: fmt.Sprintf("a frame holds at most %d bytes", c.server.cfg.MaxFrame)})
	} else if _, ok := errors.AsType[*websocket.CloseError](err); ok {
		c.close(closing{code: websocket.CloseNormalClosure})
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		c.close(closing{code: websocket.CloseGoingAway, text: fmt.Sprintf("no message or pong for %v", c.server.cfg.Idle)})
	}
}

// incoming is a frame and when it was read. The bytes are the next frame's soon.
type incoming struct {
	kind  int
	bytes []byte
	at    time.Time
}

// takeFrame lets take handle a frame. It returns false when the connection is
// closing.
func (c *connection) takeFrame(take func(incoming) bool, in incoming) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
			ok = false
		}
	}()
	return take(in)
}

// takeMessages handles the native messages of a frame.
func (c *connection) takeMessages(in incoming) (ok bool) {
	open := true
	take := func(text string) (object, more bool) {
		m := c.server.spares.message()
		if object = m.read(text); object {
			open = c.takeMessage(m, in.at)
		}
		c.server.spares.putMessage(m)
		return object, object && open
	}
	frame := in.bytes
	if in.kind == websocket.BinaryMessage {
		// Audio is told from JSON before a megabyte of it is made into text.
		if !bytes.HasPrefix(bytes.TrimLeft(frame, jsonSpace), []byte("{")) || !eachObject(asText(frame), take) {
			c.close(closing{code: websocket.CloseUnsupportedData, text: "binary frames must hold JSON objects: this server takes text, not audio"})
			return false
		}
		return open
	}
	if !eachObject(asText(frame), take) {
		c.close(closing{code: closeNotProtocol, text: "a frame must be a JSON object, or several as NDJSON"})
		return false
	}
	return open
}

// panicked ends this connection for a fault of the server's own, which one
// client's message has met: it must not be the other clients' trouble too.
// What is not safe yet is dropped, as nobody knows what the panic left undone.
func (c *connection) panicked(p any) {
	c.server.log.Error("BUG: a message could not be handled", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	c.close(closing{
		code: websocket.CloseInternalServerErr, text: "internal error", hard: true,
		say: failure("", &fault{codeInternal, "internal error: reconnect and resend"}),
	})
}

// takeMessage handles one message and waits for the window.
func (c *connection) takeMessage(m *message, at time.Time) (ok bool) {
	if !c.rate.take(at, c.server.cfg.MaxRate) {
		c.close(closing{code: closeTooMany, text: fmt.Sprintf("at most %d messages a second", c.server.cfg.MaxRate)})
		return false
	}
	ok, answered := c.dispatch(m, at)
	return ok && (!answered || c.waitForRoom())
}

// dispatch handles a message by its type. It keeps nothing of m. Answered says
// whether an answer is owed; ok is false when the connection is closing.
func (c *connection) dispatch(m *message, at time.Time) (ok, answered bool) {
	c.server.metrics.ignoredFields.Add(m.unknown)
	if !c.opened && m.kind.str() != "open" {
		c.close(closing{code: closeNotProtocol, text: "the first message must be open"})
		return false, false
	}
	switch m.kind.str() {
	case "open":
		c.opened = true
		ok = c.takeOpen(m)
	case "utterance":
		ok = c.takeUtterance(m, at)
	case "partial":
		c.takePartial(m)
		return true, false
	case "close":
		ok = c.takeClose(m)
	case "ping":
		ok = c.say([]byte(pong))
	default:
		c.server.metrics.ignoredTypes.Inc()
		return true, false
	}
	return ok, true
}

// waitForRoom waits while the client has more than a window unanswered, and
// returns false when the connection is closing.
func (c *connection) waitForRoom() (ok bool) {
	for {
		c.server.mu.Lock()
		over, ending := c.owed > c.server.cfg.Window, c.closing.code != 0
		c.server.mu.Unlock()
		if ending || !over {
			return !ending
		}
		<-c.room
	}
}

// owe adds a step to the turn. The lock is held.
func (c *connection) owe(st step) {
	t := c.current()
	t.steps = append(t.steps, st)
	c.owed++
	c.work()
}

// say owes an answer that concerns no open stream.
func (c *connection) say(body []byte) (ok bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.closing.code != 0 {
		return false
	}
	c.owe(step{body: body})
	return true
}

// lease finds the open stream that a message names. A message may leave the
// name out while exactly one stream is open.
func (c *connection) lease(m *message) (l lease, called string, f *fault) {
	if absent(m.stream) && len(c.leases) == 1 {
		for called, l = range c.leases {
			return l, called, nil
		}
	}
	if absent(m.stream) {
		return lease{}, "", &fault{codeUnknownStream, fmt.Sprintf("stream is missing, which only works while one stream is open: %d are", len(c.leases))}
	}
	if !m.stream.isString() {
		return lease{}, "", &fault{codeUnknownStream, "stream must be a string, is " + describe(m.stream)}
	}
	called = m.stream.text
	if len(called) > maxName {
		return lease{}, "", &fault{codeUnknownStream, "stream is " + describe(m.stream)}
	}
	l, ok := c.leases[called]
	if !ok {
		return lease{}, called, &fault{codeUnknownStream, "stream is " + describe(m.stream) + ", which is not open on this connection"}
	}
	return l, called, nil
}

// takeUtterance decides about one utterance. What it says is validated and
// rendered before the lock is taken; whether it may come now is decided first
// all the same.
func (c *connection) takeUtterance(m *message, at time.Time) (ok bool) {
	seq, badSeq := sequenceNumber(m.seq)
	l, called, f := c.lease(m)
	if f == nil {
		f = badSeq
	}
	if f != nil {
		c.server.metrics.nacked(f.code)
		return c.say(nack(called, seq, f))
	}
	u, f := m.utterance(l.opening, c.server.cfg.MaxContent)
	if f != nil {
		return c.accept(l, seq, f, nil)
	}
	given := u.messageID != ""
	if !given {
		u.messageID = streamMessageID(l.opening.id, seq)
	}
	r := u.record(l.opening, u.messageID, at)
	r.Seq = seq
	return c.accept(l, seq, nil, &arrival{record: r, given: given})
}

// sequenceNumber reads seq. Zero is returned with every fault.
func sequenceNumber(v value) (uint64, *fault) {
	n, f := whole("seq", " above 0", v)
	if f == nil && n <= 0 {
		f = invalid("seq must be a whole number above 0, is %s", describe(v))
	}
	if f != nil {
		return 0, f
	}
	return uint64(n), nil
}

// takePartial passes on speech that may change. It is never answered: where it
// makes no sense, only the next utterance will say so.
func (c *connection) takePartial(m *message) {
	c.server.metrics.partials.Inc()
	tell := c.server.cfg.OnPartial
	if tell == nil {
		return
	}
	l, _, f := c.lease(m)
	if f != nil {
		return
	}
	who, f := m.speaker(l.opening)
	if f != nil || speech(m.content, c.server.cfg.MaxContent) != nil {
		return
	}
	tell(Partial{
		Stream: l.opening.id, Call: l.opening.call,
		Speaker: who.participantID, SenderType: who.senderType, Content: strings.Clone(m.content.text),
	})
}

// takeClose ends a stream, or lets it go until it is resumed.
func (c *connection) takeClose(m *message) (ok bool) {
	l, called, f := c.lease(m)
	if f != nil {
		return c.say(failure(called, f))
	}
	delete(c.leases, called)
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closing.code != 0 {
		return false
	}
	end := m.reason.str() == "end"
	if end {
		s.registry.end(l.stream)
	}
	l.stream.leaving = true
	upto := l.stream.received
	c.owe(step{
		stream: l.stream, upto: upto, end: end, leave: true,
		body: encode(closedAnswer{Type: "closed", Stream: called, Acked: upto}),
	})
	return true
}

// pace waits until an engine's frame is within Config.MaxRate, and returns
// false when the connection is closing. A large frame counts as one for each
// KiB begun, so that nobody's frames cost the others more than messages do.
func (c *connection) pace(in incoming) (ok bool) {
	debt := c.rate.owe(in.at, 1+len(in.bytes)>>10, c.server.cfg.MaxRate)
	if debt == 0 {
		return true
	}
	rest := time.NewTimer(debt)
	defer rest.Stop()
	for {
		c.server.mu.Lock()
		ending := c.closing.code != 0
		c.server.mu.Unlock()
		if ending {
			return false
		}
		select {
		case <-rest.C:
			return true
		case <-c.room: // closed, or of no interest
		}
	}
}

// rate is a bucket of messages: it holds a second's worth.
type rate struct {
	left float64
	last time.Time
}

// take takes one message out, and returns false when the bucket is empty.
func (r *rate) take(now time.Time, perSecond int) bool {
	r.fill(now, perSecond)
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

// owe takes n messages out, also of an empty bucket, and returns how long it is
// in debt.
func (r *rate) owe(now time.Time, n, perSecond int) time.Duration {
	r.fill(now, perSecond)
	r.left -= float64(n)
	return time.Duration(max(0, -r.left) / float64(perSecond) * float64(time.Second))
}

func (r *rate) fill(now time.Time, perSecond int) {
	full := float64(perSecond)
	if r.last.IsZero() {
		r.left = full
	}
	r.left = min(full, r.left+now.Sub(r.last).Seconds()*full)
	r.last = now
}
