package ingest

import (
	"cmp"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest/dialect"
)

// Config says whom the doors let in and how much of everything they take.
// Zero means the default that each field names; there is no "unlimited".
type Config struct {
	// Tokens that open the doors, any of them. None: only clients on this
	// machine are let in, by loopback address.
	Tokens []string

	// QueryToken also looks for a token in ?token=, which proxies like to
	// log. Default: off.
	QueryToken bool

	// Shared says that other servers are behind the same address. A request that
	// shows a token is then let in with a known one only, also where Tokens is
	// empty: it was meant for somebody.
	Shared bool

	// Relayed says that all clients are behind doors that pass their connections
	// on. Since when a client is connected is then what the door says, in
	// HeaderSince.
	Relayed bool

	// Org is the name of the only org. Empty: it has no name, and what
	// clients say in `org` is not looked at. Set: another name is refused.
	Org string

	// Window is how many messages of a connection may wait for their answer
	// before the server stops reading it. Default 256.
	Window int

	// PingEvery is the time between two WebSocket pings. Default 25 s.
	PingEvery time.Duration

	// Idle is how long a connection may show no sign of life, neither message
	// nor pong, before it is closed. Of signs within a twentieth of it the first
	// one counts. Default 60 s; more than twice PingEvery makes sense.
	Idle time.Duration

	// Resume is how long a stream without a connection may come back, and how
	// long a message id is remembered. Default 5 min.
	Resume time.Duration

	// MaxFrame is the size of a frame or a POST body, in bytes. Default 1 MiB.
	MaxFrame int

	// MaxContent is the size of one utterance's text, in bytes of UTF-8.
	// Salesforce does not document its own limit. Default 32 KiB.
	MaxContent int

	// MaxConnections counts WebSockets and requests under way together.
	// Default 20,000.
	MaxConnections int

	// MaxStreams is how many streams one connection may have open. Default 1,000.
	MaxStreams int

	// MaxStreamsTotal counts all streams, open or waiting to be resumed.
	// Default 100,000.
	MaxStreamsTotal int

	// MaxRate is how many messages a second one connection may send, partials
	// and pings included. One of the native protocol that sends more is closed;
	// an engine's is read no faster, each KiB of a frame being a message.
	// Default 10,000.
	MaxRate int

	// Dialects are the engines' formats that have a door. Default: all of
	// package dialect.
	Dialects []dialect.Dialect

	// OnPartial is told every partial that names a known speaker. It is called
	// by the connection's reader and must not block. Nil: nobody is told.
	OnPartial func(Partial)

	// Watch is told of connections and streams.
	Watch Watch
}

// Partial is speech that is not final: it may change, and never reaches
// Salesforce.
type Partial struct {
	Stream     spool.StreamID
	Call       string // the vendorCallKey that the transcript goes out under
	Speaker    string // participantId
	SenderType string // Salesforce's: END_USER, HUMAN_AGENT, …
	Content    string
}

func (c Config) withDefaults() Config {
	c.Window = cmp.Or(c.Window, 256)
	c.PingEvery = cmp.Or(c.PingEvery, 25*time.Second)
	c.Idle = cmp.Or(c.Idle, time.Minute)
	c.Resume = cmp.Or(c.Resume, 5*time.Minute)
	c.MaxFrame = cmp.Or(c.MaxFrame, 1<<20)
	c.MaxContent = cmp.Or(c.MaxContent, 32<<10)
	c.MaxConnections = cmp.Or(c.MaxConnections, 20_000)
	c.MaxStreams = cmp.Or(c.MaxStreams, 1_000)
	c.MaxStreamsTotal = cmp.Or(c.MaxStreamsTotal, 100_000)
	c.MaxRate = cmp.Or(c.MaxRate, 10_000)
	if c.Dialects == nil {
		c.Dialects = dialect.All()
	}
	return c
}
