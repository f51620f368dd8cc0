package ingest

import (
	"math"
	"time"

	"example.com/steno/batcher/spool"
	"github.com/gorilla/websocket"
)

// Close codes that RFC 6455 does not have.
const (
	closeNotProtocol = 4400 // not JSON, or a first message that is not open
	closeReplaced    = 4409 // another connection has taken a stream over
	closeTooMany     = 4429 // too many streams or messages
)

const (
	// writeWait is how long a client may take to read one answer.
	writeWait = 10 * time.Second
	// closeWait is how long a client may take to answer the close frame. What
	// it sends meanwhile is read and dropped: a socket closed with unread data
	// takes the last answers with it.
	closeWait = 2 * time.Second
	// takeoverWait is how long an append of the older connection may hold up
	// the newer one.
	takeoverWait = 5 * time.Second
	// retryAfter is what a client is asked to wait when there is no better number.
	retryAfter = 2 * time.Second
)

// connection is one WebSocket. A goroutine belongs to it, the reader; another,
// the committer, while there is something to make safe or to answer; and a timer
// that sends pings. Most connections are silent at any moment.
//
//	C1  what the reader takes in is in turn until the committer takes it; while
//	    the committer has a turn that is not safe, busy is true
//	C2  once closing is set the reader takes in nothing more
//	C3  a soft closing first makes the turn safe; a hard one drops it and rolls
//	    the streams back to what is safe
//	C4  released is closed when no Append of this connection is under way and
//	    none will follow; from then on it owns no stream
//	C5  there is one committer at most, and one is there while there is something
//	    to do; the last one hangs up
type connection struct {
	server *Server
	ws     *websocket.Conn
	id     uint64    // set before it serves
	holder holder    // so too
	since  time.Time // when the client has connected; so too

	// Server.mu guards these.
	turn      *turn    // nil: nothing is owed an answer
	first     [][]byte // answers about earlier turns, or about none: they go before the turn's own
	owed      int      // steps that are not safe, in turn or with the committer
	closing   closing
	busy      bool
	readEnded bool
	working   bool                 // there is a committer, or the last one has been
	left      bool                 // released is closed
	streams   map[*stream]struct{} // owned by this connection
	heart     *time.Timer          // runs beat

	room     chan struct{} // size 1: the reader, waiting for the window, may look again
	released chan struct{}
	gone     chan struct{} // closed when the reader has ended
	hungUp   chan struct{} // closed when the last committer has

	putOff time.Time // when the idle deadline was, last; only the reader uses it

	engine *engine // what speaks here in a dialect of its own; nil: a client of the native protocol

	// Only the reader uses these, for a client of the native protocol.
	leases map[string]lease // by the client's own name for the stream
	opened bool             // the first message was an open
	rate   rate
}

// lease is a stream that is open on a connection.
type lease struct {
	stream  *stream
	opening *opening
}

// closing says how a connection ends. The zero value: it does not.
type closing struct {
	code int
	text string
	hard bool
	say  []byte // a last message before the close frame, or nil
}

// turn is what the reader has taken in since the committer last took a turn.
type turn struct {
	steps   []step
	records []*spool.Record
	ids     []place
	marked  []*call // whose end is marked in records
}

// step is one message that is owed an answer.
type step struct {
	stream *stream // nil: it concerns none, and body is all there is to do
	upto   uint64  // how far the stream is safe when the turn is
	end    bool    // the end of the stream is safe with the turn
	leave  bool    // the connection lets the stream go with the turn
	body   []byte  // nil: an ack; empty: nothing, as engines expect no answer
}

func (s *Server) newConnection(ws *websocket.Conn) *connection {
	return &connection{
		server: s, ws: ws,
		streams: map[*stream]struct{}{}, leases: map[string]lease{},
		room:     make(chan struct{}, 1),
		released: make(chan struct{}), gone: make(chan struct{}), hungUp: make(chan struct{}),
	}
}

// serve runs the connection until both sides have done with it.
func (c *connection) serve() {
	s := c.server
	s.mu.Lock()
	s.connected(c)
	c.heart = time.AfterFunc(firstBeat(c.id, s.cfg.PingEvery), c.beat)
	if s.draining {
		c.drain()
	}
	s.mu.Unlock()
	if c.engine != nil && c.engine.leg.call != "" {
		c.engine.open(c.engine.leg.call) // E2
	}
	c.read()
	<-c.hungUp
	c.stopHeart()
	if c.engine != nil {
		c.engine.stop()
	}
	s.gone(c)
}

// beat sends a ping, and the next one later, until the reader has ended. An
// error is no news: the reader and the committer meet it too.
func (c *connection) beat() {
	_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if !c.readEnded {
		c.heart.Reset(c.server.cfg.PingEvery)
	}
}

// firstBeat is when a connection is sent its first ping; the others follow
// every so often. All who come back after a restart come at once, and would be
// sent theirs at once for ever: 19,000 of them cost a core a third of its time
// for seconds. So the first one comes earlier, by up to a half, for each
// connection in its number by another part. Going on by the golden ratio, these
// parts are spread evenly, wherever one begins and however far one goes.
func firstBeat(connection uint64, every time.Duration) time.Duration {
	_, part := math.Modf(float64(connection) / math.Phi)
	return every - time.Duration(part*float64(every/2))
}

func (c *connection) stopHeart() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.heart.Stop()
}

// close begins the end of the connection. The first to say why is heard,
// except that a hard closing overrules a soft one.
func (c *connection) close(how closing) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.closeLocked(how)
}

func (c *connection) closeLocked(how closing) {
	if c.closing.code != 0 && (c.closing.hard || !how.hard) {
		return
	}
	if c.engine != nil && c.closing.code == 0 && !how.hard {
		c.engine.flush() // C3: what has been said is part of the turn
	}
	c.closing = how
	if how.hard && !c.busy {
		c.release()
	}
	c.work()
	signal(c.room)
}

// work sees to it that there is a committer (C5). The lock is held.
func (c *connection) work() {
	if !c.working {
		c.working = true
		go c.commit()
	}
}

// drain says goodbye. The lock is held.
func (c *connection) drain() {
	if c.closing.code == 0 && c.engine == nil {
		c.first = append(c.first, encode(reconnectAnswer{Type: "reconnect", After: jitter(retryAfter).Milliseconds()}))
	}
	c.closeLocked(closing{code: websocket.CloseGoingAway, text: "the server is going away: reconnect"})
}

// release lets all streams go, and drops what of them is not safe (C4). The
// lock is held.
func (c *connection) release() {
	if c.left {
		return
	}
	c.left = true
	g := &c.server.registry
	if c.turn != nil {
		g.revoke(c.turn, c)
	}
	now := time.Now()
	for s := range c.streams {
		g.rollback(s)
		c.let(s, now)
	}
	close(c.released)
}

// let lets one stream go. The lock is held.
func (c *connection) let(s *stream, now time.Time) {
	delete(c.streams, s)
	c.server.registry.wait(s, now)
	c.tellReleased(s)
	signal(c.server.wake)
}

// revoke takes back what a turn that will not be safe has noted. The streams
// are rolled back by release.
func (g *registry) revoke(t *turn, owner *connection) {
	for _, p := range t.ids {
		g.drop(p, owner.holder)
	}
	for _, c := range t.marked {
		c.marked = false
	}
}

// signal leaves a token in a channel of size 1: whoever waits looks again.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
