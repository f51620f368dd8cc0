package ingest

import "sync"

// spares are what one message after the other needs for a moment. They belong
// to the server and not to its connections: most of those are silent at any
// moment, and must be cheap.
type spares struct {
	messages, turns sync.Pool
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

// maxSpareTurn is the number of records above which a turn's memory is not
// worth keeping.
const maxSpareTurn = 1024

// turn is an empty one that has room.
func (p *spares) turn() turn {
	if t, ok := p.turns.Get().(*turn); ok {
		return *t
	}
	return turn{steps: make([]step, 0, 1)}
}

// putTurn takes a turn back that was answered. The spool has copied its
// records.
func (p *spares) putTurn(t *turn) {
	if cap(t.records) > maxSpareTurn || cap(t.steps) > maxSpareTurn {
		return
	}
	clear(t.steps)
	clear(t.records[:cap(t.records)])
	clear(t.ids[:cap(t.ids)])
	p.turns.Put(&turn{steps: t.steps[:0], records: t.records[:0], ids: t.ids[:0]})
}

// current is the turn that the connection takes messages into. The lock is
// held.
func (c *connection) current() *turn {
	if c.turn.steps == nil {
		c.turn = c.server.spares.turn()
	}
	return &c.turn
}
