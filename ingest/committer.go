package ingest

import (
	"time"

	"example.com/steno/batcher/spool"
	"github.com/gorilla/websocket"
)

// commit is the connection's committer: it takes turns, makes them safe and
// answers them, until there is nothing to do. It is the only one who writes
// messages to the socket.
func (c *connection) commit() {
	w := c.server.spares.writer(c.ws)
	defer c.server.spares.putWriter(w)
	for {
		first, t, next := c.take()
		switch next {
		case rest:
			return
		case hangUp:
			c.hangUp(w)
			return
		}
		for _, body := range first {
			w.write(body)
		}
		if t != nil && c.store(t) {
			w.answer(t.steps)
			c.server.spares.putTurn(t)
		}
		if w.err != nil {
			// The reader must not go on for a client that cannot be answered.
			// What it has taken in is still made safe: it was received.
			c.ws.Close()
		}
	}
}

// next is what the committer does next.
type next int

const (
	answer next = iota
	rest        // until there is something to do
	hangUp      // the connection has ended and owns nothing any more
)

// take says what there is to do: answers that go out at once, or a turn. It
// hands out one of the two at a time, since a client that is slow to read must
// not keep its connection busy (C1).
func (c *connection) take() (first [][]byte, t *turn, _ next) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	switch {
	case c.left:
		return nil, nil, hangUp
	case len(c.first) > 0:
		first, c.first = c.first, nil
		return first, nil, answer
	case c.turn != nil:
		t, c.turn = c.turn, nil
		c.busy = true
		c.markEnds(t, c)
		return nil, t, answer
	case c.closing.code != 0 || c.readEnded:
		c.release()
		return nil, nil, hangUp
	}
	c.working = false // C5: only here, and under the lock under which work is given
	return nil, nil, rest
}

// markEnds adds the mark of a call's end for every call that is over with this
// turn, as far as owner's hands go. The lock is held.
func (c *connection) markEnds(t *turn, owner *connection) {
	for i := range t.steps {
		st := &t.steps[i]
		if !st.end || st.stream.call.marked || !st.stream.call.over(owner) {
			continue
		}
		call := st.stream.call
		call.marked = true
		t.marked = append(t.marked, call)
		t.records = append(t.records, &spool.Record{Org: call.key.org, Call: call.key.key, Ended: true, Received: time.Now()})
	}
}

// store makes a turn safe. It returns false when that failed: then nothing of
// the turn may be answered, and the connection is closing.
//
// There is a second append where two connections end the last streams of a
// call at the same time: neither sees the other's as safe before its own is,
// so the later one finds only afterwards that the call is over.
func (c *connection) store(t *turn) bool {
	for {
		if len(t.records) > 0 {
			if err := c.server.append(c.server.hard, t.records); err != nil {
				c.fail(t)
				return false
			}
			clear(t.records) // they are the spool's
			t.records = t.records[:0]
		}
		if c.settle(t) {
			return true
		}
	}
}

// settle marks a turn as safe. It returns false where that brings a mark of a
// call's end to light, which must be stored before anything is answered.
func (c *connection) settle(t *turn) (done bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.safe(t)
	if c.markEnds(t, nil); len(t.records) > 0 {
		return false
	}
	c.letGo(t)
	c.busy = false
	c.owed -= len(t.steps)
	if c.closing.hard {
		c.release()
	}
	signal(c.room)
	return true
}

// safe marks what a turn brought as safe. To do it twice changes nothing. The
// lock is held.
func (c *connection) safe(t *turn) {
	for i := range t.steps {
		if st := &t.steps[i]; st.stream != nil {
			st.stream.commit(st.upto)
			if st.end {
				st.stream.commitEnd()
			}
		}
	}
	for _, p := range t.ids {
		c.server.registry.keep(p, c.holder)
	}
	t.ids, t.marked = t.ids[:0], nil
}

// letGo lets the streams go that the turn's steps closed, unless they have been
// opened again since. The lock is held.
func (c *connection) letGo(t *turn) {
	for i := range t.steps {
		st := &t.steps[i]
		if st.leave && st.stream.leaving && st.stream.owner == c {
			c.let(st.stream, time.Now())
		}
	}
}

// fail drops a turn that could not be made safe, and all after it.
func (c *connection) fail(t *turn) {
	how := closing{
		code: websocket.CloseTryAgainLater, text: "utterances cannot be stored now", hard: true,
		say: overloaded("", "utterances cannot be stored now: reconnect and resend", retryAfter.Milliseconds()),
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.draining {
		how.code = websocket.CloseGoingAway
	}
	c.server.registry.revoke(t, c)
	c.busy = false
	c.closeLocked(how)
	c.release()
}

// hangUp says the last words and closes the socket.
func (c *connection) hangUp(w *writer) {
	c.server.mu.Lock()
	how := c.closing
	c.server.mu.Unlock()
	if how.code != 0 {
		if how.say != nil && c.engine == nil {
			w.write(how.say)
		}
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(how.code, how.text), time.Now().Add(closeWait))
	}
	if w.err == nil {
		wait := time.NewTimer(closeWait)
		defer wait.Stop()
		select {
		case <-c.gone:
		case <-wait.C:
		}
	}
	c.ws.Close()
	close(c.hungUp)
}

// writer writes answers. After an error it writes nothing more, and neither does
// the connection's next one: the library does not either.
type writer struct {
	ws  *websocket.Conn
	buf []byte
	due map[*stream]uint64 // answer's own, empty in between
	err error
}

func (w *writer) write(body []byte) {
	if w.err != nil || len(body) == 0 {
		return
	}
	_ = w.ws.SetWriteDeadline(time.Now().Add(writeWait)) // never fails
	w.err = w.ws.WriteMessage(websocket.TextMessage, body)
}

// answer writes the answers of a turn in the order of its messages, with one
// ack a stream: for the last message that is due one, but before any other
// answer of the stream, so that nothing overtakes it. An answer that concerns
// no stream lets all acks go first: a pong tells that everything before the
// ping has been answered.
func (w *writer) answer(steps []step) {
	ack := func(s *stream) {
		if seq, ok := w.due[s]; ok {
			w.buf = appendAck(w.buf[:0], s.id.ID, seq)
			w.write(w.buf)
			delete(w.due, s)
		}
	}
	from := 0 // no step before it is due an ack
	for i := range steps {
		switch st := &steps[i]; {
		case st.body == nil:
			w.due[st.stream] = st.upto
		case st.stream != nil:
			ack(st.stream)
			w.write(st.body)
		default:
			for ; from < i; from++ {
				ack(steps[from].stream)
			}
			w.write(st.body)
		}
	}
	for ; from < len(steps); from++ {
		ack(steps[from].stream)
	}
}
