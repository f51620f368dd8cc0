package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Config says where the server is and who wants to hear of what. Only URL is
// needed.
//
// The hooks are called one at a time, in the order of the server's answers, by
// the goroutine that reads them: they must not block, nor call Send.
type Config struct {
	// URL of the server's door: ws://host:port/v1/ingest or wss://….
	URL string

	// Token goes out as a bearer token; empty: none is sent.
	Token string

	// Dialer makes the connections; its subprotocols are replaced. Nil: one
	// that heeds the proxy settings of the environment and gives up a handshake
	// after 10 s.
	Dialer *websocket.Dialer

	// BackoffMin and BackoffMax bound the wait before another connection, which
	// doubles from failure to failure and is shortened at random by up to half.
	// Defaults 250 ms and 10 s.
	BackoffMin, BackoffMax time.Duration

	// Log is told of connections that come and go, never of what was said.
	// Default: nothing is logged.
	Log *slog.Logger

	// OnAck hears that everything up to seq is safe, or was refused before.
	OnAck func(stream string, seq uint64)

	// OnNack hears of each utterance that the server will never take.
	OnNack func(Nack)

	// OnDelivered hears of each utterance that Salesforce has accepted, and how
	// long after the server had read it, for streams that ask for "delivered".
	// What is delivered while there is no connection is not told.
	OnDelivered func(stream string, seq uint64, latency time.Duration)
}

// Stats counts utterances. At every moment Sent = Acked + Nacked + those held.
type Stats struct {
	Sent       uint64 // taken by Send
	Acked      uint64 // safe
	Nacked     uint64 // refused, or held by a stream that was refused
	Resent     uint64 // written again, repeats counted each
	Reconnects uint64 // connections after the first
}

// Client is one connection to a Steno server at a time, for many streams. Its
// methods may be called from many goroutines.
type Client struct {
	cfg    Config
	dialer websocket.Dialer
	where  string // the URL without its query, for the log
	log    *slog.Logger

	wake    chan struct{} // of size 1: there is something to write or to decide
	stopped chan struct{} // closed when Run has returned

	mu          sync.Mutex // guards what follows, the streams' fields and the session's; never held across I/O or a wait
	streams     map[string]*Stream
	opened      int // streams ever opened, which orders them
	session     *session
	stats       Stats
	connections int
	running     bool
	closing     bool
	err         error // why nothing goes any more; nil while the client is of use
}

// New checks cfg and returns a client that is to be Run.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("read the server's URL: %w", err)
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the server's URL must be ws://host/path or wss://host/path without user, is %q", u.Scheme+"://"+u.Host+u.Path)
	}
	cfg.BackoffMin = cmp.Or(cfg.BackoffMin, 250*time.Millisecond)
	cfg.BackoffMax = max(cmp.Or(cfg.BackoffMax, 10*time.Second), cfg.BackoffMin)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{
		cfg:     cfg,
		dialer:  dialer(cfg.Dialer),
		where:   u.Scheme + "://" + u.Host + u.Path,
		log:     cfg.Log,
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		streams: map[string]*Stream{},
	}, nil
}

// Open begins a stream and returns at once: whether the server takes it shows
// in Stream.Opened, or in an error of a later Send. The id may be used again
// after the stream has been closed.
func (c *Client) Open(o Open) (*Stream, error) {
	if o.Stream == "" || o.VendorCallKey == "" {
		return nil, errors.New("open needs a stream and a vendorCallKey")
	}
	s := newStream(c, o)
	if len(s.open) > maxMessage {
		return nil, fmt.Errorf("open stream %q with %d bytes: %w", o.Stream, len(s.open), ErrTooLarge)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, c.err
	case c.closing:
		return nil, ErrClosed
	case c.streams[o.Stream] != nil:
		return nil, fmt.Errorf("stream %q is open already", o.Stream)
	}
	c.opened++
	s.order = c.opened
	c.streams[o.Stream] = s
	s.enqueue()
	c.signal() // there may be no connection yet, for want of a stream
	return s, nil
}

// Close ends the client once all that Send has taken is acknowledged, and waits
// for Run to return. It does not end the streams: the server waits for those
// that were not closed themselves. When ctx is done first its error is
// returned, with the number of utterances not acknowledged; Run goes on.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	for _, s := range c.streams {
		s.tell()
	}
	c.mu.Unlock()
	c.signal()
	select {
	case <-c.stopped:
	case <-ctx.Done():
		s := c.Stats()
		return fmt.Errorf("close the client with %d utterances unacknowledged: %w", s.Sent-s.Acked-s.Nacked, context.Cause(ctx))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, ErrClosed) {
		return nil
	}
	return c.err
}

// Stats returns the counters, all of one moment.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// finished is true when a closing client has nothing left to do.
func (c *Client) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finishedLocked()
}

func (c *Client) finishedLocked() bool {
	if !c.closing {
		return false
	}
	for _, s := range c.streams {
		if !s.out.empty() || s.reason != "" {
			return false
		}
	}
	return true
}

// stop ends everything that waits, once Run is over.
func (c *Client) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = ErrClosed
	if err != nil {
		c.err = fmt.Errorf("the client has stopped: %w", err)
	}
	c.session = nil
	close(c.stopped)
}

// signal wakes whoever decides what comes next: the writer of the connection,
// or Run between two connections.
func (c *Client) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
