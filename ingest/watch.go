package ingest

import "example.com/steno/batcher/spool"

// Watch is who is told of what comes and goes at the doors: the live monitor.
// Its functions are called with the server's lock held, in the order of the
// events, so they must neither wait nor call the server. Nil: nobody is told.
type Watch struct {
	Connected func(Connection)
	Gone      func(connection uint64)
	Opened    func(Opened)
	Released  func(id spool.StreamID, ended bool) // nobody speaks on the stream any more; ended: for ever
}

// Connection is one WebSocket.
type Connection struct {
	ID      uint64 // from 1, in the order of their coming
	Dialect string // of its engine; Native for a client of Steno's own protocol
	Remote  string // host:port
}

// Native is what the native protocol is called where a dialect is named.
const Native = subprotocol

// Opened is a stream that a connection has taken.
type Opened struct {
	Connection uint64
	Stream     spool.StreamID
	Call       string // the vendorCallKey that the transcript goes out under
	Trace      string // the W3C traceparent that the client gave; empty: none, or one that is not well formed
}

// Active counts what is there at the moment: connections, and calls with a
// stream that is open or may come back.
func (s *Server) Active() (connections, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns), s.registry.active
}

// connected counts a connection in and tells. The lock is held.
func (s *Server) connected(c *connection) {
	s.conns[c] = struct{}{}
	s.connections++
	c.id, c.holder = s.connections, s.registry.holder()
	if tell := s.cfg.Watch.Connected; tell != nil {
		told := Connection{ID: c.id, Dialect: Native, Remote: c.ws.RemoteAddr().String()}
		if c.engine != nil {
			told.Dialect = c.engine.leg.dialect.Name
		}
		tell(told)
	}
}

// gone counts a connection out and tells.
func (s *Server) gone(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if tell := s.cfg.Watch.Gone; tell != nil {
		tell(c.id)
	}
}

// tellOpened tells of a stream that the connection has taken. The lock is held.
func (c *connection) tellOpened(o *opening) {
	if tell := c.server.cfg.Watch.Opened; tell != nil {
		tell(Opened{Connection: c.id, Stream: o.id, Call: o.call, Trace: o.trace})
	}
}

// tellReleased tells of a stream that it has let go. The lock is held.
func (c *connection) tellReleased(s *stream) {
	if tell := c.server.cfg.Watch.Released; tell != nil {
		tell(s.id, s.ended)
	}
}
