package client

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// maxFrame is how many bytes of messages share a frame; a larger one goes
// alone. Few large frames cost less than many small ones, and one that is much
// larger would only make an urgent utterance wait for the others' sake.
const maxFrame = 64 << 10

// defaultPingEvery holds until the server has named its own.
const defaultPingEvery = 25 * time.Second

// session is what the client knows of its connection of the moment. Client.mu
// guards it.
type session struct {
	ready     []*Stream // those with something to write, each once, longest waiting first
	refused   []*Stream // those to be opened again at their time
	pong      *string   // what a WebSocket ping of the server wants back; nil: nothing
	leaving   bool      // the server has said reconnect: it gets nothing more to do
	settled   bool      // the connection was of use: something was acknowledged
	notBefore time.Time // the server's word on the next connection; zero: it has said nothing
	pingEvery time.Duration
	pinged    time.Time // when the last ping was due, or the connection began
}

// begin starts the session of a new connection: every stream is to be opened
// again, in the order in which they were first opened.
func (c *Client) begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = &session{pingEvery: defaultPingEvery, pinged: now}
	c.connections++
	c.stats.Reconnects = uint64(c.connections - 1)
	inOrder := func(a, b *Stream) int { return cmp.Compare(a.order, b.order) }
	for _, s := range slices.SortedFunc(maps.Values(c.streams), inOrder) {
		s.enqueue()
	}
}

// end takes the session away when its connection has ended.
func (c *Client) end() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.session
	c.session = nil
	for _, s := range c.streams {
		s.phase, s.queued, s.partials = offline, false, nil
	}
	return ended
}

// enqueue puts a stream in line to be written. The lock is held.
func (s *Stream) enqueue() {
	if s.queued || s.c.session == nil || s.phase == refused || s.phase == done {
		return
	}
	s.queued = true
	s.c.session.ready = append(s.c.session.ready, s)
	s.c.signal()
}

// turn is what the writer is to do next, in the order of the fields.
type turn struct {
	pong     *string
	frame    []byte
	finished bool          // nothing is left and nothing will come: hang up
	next     time.Time     // when to ask again, at the latest
	idle     time.Duration // how long a write may take while the server is silent
}

// fill decides what goes out next, and appends its messages to frame.
func (c *Client) fill(frame []byte, now time.Time) turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.session
	t := turn{pong: n.pong, idle: idle(n.pingEvery)}
	n.pong = nil
	if c.finishedLocked() {
		t.finished = true
		return t
	}
	if !now.Before(n.pinged.Add(n.pingEvery)) {
		n.pinged = now
		frame = append(frame, `{"type":"ping"}`...)
	}
	t.next = n.reopen(now, n.pinged.Add(n.pingEvery))
	for len(n.ready) > 0 && !n.leaving {
		s := n.ready[0]
		n.ready[0] = nil
		n.ready = n.ready[1:]
		s.queued = false
		var more bool
		if frame, more = s.write(frame); more {
			s.enqueue() // the others come first in the next frame
			break
		}
	}
	t.frame = frame
	return t
}

// reopen puts the refused streams whose time has come in line, and returns the
// time of the first of the others, or until.
func (n *session) reopen(now, until time.Time) time.Time {
	waiting := n.refused[:0]
	for _, s := range n.refused {
		switch {
		case s.phase != refused: // it has been given up
		case now.Before(s.retryAt):
			waiting = append(waiting, s)
			if s.retryAt.Before(until) {
				until = s.retryAt
			}
		default:
			s.phase = offline
			s.enqueue()
		}
	}
	clear(n.refused[len(waiting):])
	n.refused = waiting
	return until
}

// write appends what the stream has to say. It returns more where the frame is
// full first.
func (s *Stream) write(frame []byte) (_ []byte, more bool) {
	switch s.phase {
	case offline:
		if !fits(frame, len(s.open)) {
			return frame, true
		}
		s.phase = opening
		return line(frame, s.open), false
	case open:
		return s.writeSpeech(frame)
	}
	return frame, false
}

func (s *Stream) writeSpeech(frame []byte) (_ []byte, more bool) {
	for len(s.partials) > 0 {
		p := s.partials[0].message
		if !fits(frame, len(p)) {
			return frame, true
		}
		frame = line(frame, p)
		s.partials = slices.Delete(s.partials, 0, 1)
	}
	for {
		seq, body, ok := s.out.peek()
		if !ok {
			break
		}
		if !fits(frame, len(s.head)+20+len(body)) { // 20 digits have the largest seq
			return frame, true
		}
		frame = line(frame, s.head)
		frame = strconv.AppendUint(frame, seq, 10)
		frame = append(frame, ',')
		frame = append(frame, body...)
		if s.out.wrote() {
			s.c.stats.Resent++
		}
	}
	if s.reason != "" && s.out.empty() {
		message := encode(struct {
			Type   string `json:"type"`
			Stream string `json:"stream"`
			Reason string `json:"reason"`
		}{"close", s.id, s.reason})
		if !fits(frame, len(message)) {
			return frame, true
		}
		s.phase, s.ended = closing, true
		frame = line(frame, message)
	}
	return frame, false
}

// fits is true where a message of n bytes has room, or stands alone anyway.
func fits(frame []byte, n int) bool { return len(frame) == 0 || len(frame)+1+n <= maxFrame }

// line appends a message to a frame: several are NDJSON.
func line(frame, message []byte) []byte {
	if len(frame) > 0 {
		frame = append(frame, '\n')
	}
	return append(frame, message...)
}

// idle is how long a server that pings every so often may be silent.
func idle(pingEvery time.Duration) time.Duration { return pingEvery * 5 / 2 }
