package ingest

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/gorilla/websocket"
)

// spares are what one message after the other needs for a moment. They belong
// to the server and not to its connections: most of those are silent at any
// moment, and must be cheap.
type spares struct {
	buffers, messages, turns, writers sync.Pool
}

// buffer holds a frame.
type buffer struct {
	bytes.Buffer
	limit io.LimitedReader // fill's own
}

// errTooBig is a frame above Config.MaxFrame.
var errTooBig = errors.New("frame is too big")

// fill reads a frame of at most so many bytes.
func (b *buffer) fill(r io.Reader, most int) error {
	b.limit = io.LimitedReader{R: r, N: int64(most) + 1}
	n, err := b.ReadFrom(&b.limit)
	b.limit.R = nil // which keeps a connection in memory
	if err == nil && n > int64(most) {
		return errTooBig
	}
	return err
}

// buffer is an empty one.
func (p *spares) buffer() *buffer {
	if b, ok := p.buffers.Get().(*buffer); ok {
		return b
	}
	return new(buffer)
}

// maxSpareBuffer is the size above which a buffer is not worth keeping.
const maxSpareBuffer = 64 << 10

func (p *spares) putBuffer(b *buffer) {
	if b.Cap() <= maxSpareBuffer {
		b.Reset()
		p.buffers.Put(b)
	}
}

// message is an empty one.
func (p *spares) message() *message {
	if m, ok := p.messages.Get().(*message); ok {
		return m
	}
	return new(message)
}

// putMessage takes a message back that nothing refers to any more. It lets go
// of the frame that the message was read from.
func (p *spares) putMessage(m *message) {
	*m = message{}
	p.messages.Put(m)
}

// writer is one for a connection.
func (p *spares) writer(ws *websocket.Conn) *writer {
	w, ok := p.writers.Get().(*writer)
	if !ok {
		w = &writer{due: map[*stream]uint64{}}
	}
	w.ws = ws
	return w
}

func (p *spares) putWriter(w *writer) {
	w.ws, w.err = nil, nil
	p.writers.Put(w)
}

// maxSpareTurn is the number of records above which a turn's memory is not
// worth keeping.
const maxSpareTurn = 1024

// turn is an empty one that has room.
func (p *spares) turn() *turn {
	if t, ok := p.turns.Get().(*turn); ok {
		return t
	}
	return new(turn)
}

// putTurn takes a turn back that was answered. Its records are cleared as soon
// as they are stored, no more than there were: most turns that have room for
// many hold few.
func (p *spares) putTurn(t *turn) {
	if cap(t.records) > maxSpareTurn || cap(t.steps) > maxSpareTurn {
		return
	}
	clear(t.steps)
	*t = turn{steps: t.steps[:0], records: t.records[:0], ids: t.ids[:0]}
	p.turns.Put(t)
}

// current is the turn that the connection takes messages into. The lock is
// held.
func (c *connection) current() *turn {
	if c.turn == nil {
		c.turn = c.server.spares.turn()
	}
	return c.turn
}
