package durable

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Connection is a way to JetStream: a connection for writing and one for
// reading, since the server serves a fetch on the reader's own goroutine, and an
// acknowledgement must not wait for that. Many spools may share one.
type Connection struct {
	write, fetches *nats.Conn
	js             jetstream.JetStream
}

// Connect opens a Connection to an external JetStream. It finds other servers
// of the same cluster by itself, and comes back after any break.
func Connect(url string) (*Connection, error) {
	// What is asked while the servers elect a leader is lost, and soon asked again.
	return connectTo(url, requestTimeout)
}

// embeddedTimeout is longer: who asks a large store waits, and nothing is lost.
const embeddedTimeout = 5 * time.Second

// connectTo opens the two connections. What has no time-out of its own is given
// up after patience.
func connectTo(url string, patience time.Duration, more ...nats.Option) (*Connection, error) {
	options := append([]nats.Option{
		nats.Name("steno spool"), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1),       // a frame waits with us, not in a connection that is down
		nats.SyncQueueLen(maxBatch + 1), // what a fetch may bring, and the word that it is over: the usual half a megabyte is made anew for each
	}, more...)
	write, err := nats.Connect(url, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the spool's store: %w", err)
	}
	reads, err := nats.Connect(url, options...)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("connect to the spool's store: %w", err)
	}
	js, err := jetstream.New(write, jetstream.WithPublishAsyncTimeout(requestTimeout), jetstream.WithDefaultTimeout(patience))
	if err != nil {
		write.Close()
		reads.Close()
		return nil, fmt.Errorf("speak to the spool's store: %w", err)
	}
	return &Connection{write, reads, js}, nil
}

// Close ends it, once the spools that share it are closed.
func (c *Connection) Close() {
	c.fetches.Close()
	c.write.Close()
}
