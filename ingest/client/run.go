package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// errRunTwice is a mistake of the program that uses this package.
var errRunTwice = errors.New("the client runs already, or has run")

// Run connects, and connects again after every loss, until ctx is done, Close
// has finished, or the server says that another attempt is of no use:
// ErrUnauthorized, ErrReplaced or a CloseError. It returns nil after Close,
// otherwise the reason; its goroutines have ended by then. A client runs once.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	again := c.running
	c.running = true
	c.mu.Unlock()
	if again {
		return errRunTwice
	}
	err := c.run(ctx)
	if errors.Is(err, errFinished) {
		err = nil
	}
	c.stop(err)
	return err
}

func (c *Client) run(ctx context.Context) error {
	wait := backoff{least: c.cfg.BackoffMin, most: c.cfg.BackoffMax}
	var by rival
	for {
		if err := c.awaitStream(ctx); err != nil {
			return err
		}
		began := time.Now()
		ended, err := c.connection(ctx)
		switch {
		case errors.Is(err, errFinished):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		lasted := time.Since(began)
		if final := fatal(err); final != nil && !(errors.Is(final, ErrReplaced) && by.nobody(c.again(), lasted)) {
			return final
		}
		if ended.settled || lasted > c.cfg.BackoffMax {
			wait.failures = 0
		}
		delay := wait.next()
		if !ended.notBefore.IsZero() {
			delay = max(time.Until(ended.notBefore), c.cfg.BackoffMin)
		}
		// A server that is away is one event in the log, not one a second.
		if wait.failures <= 1 {
			c.log.Warn("no connection, will try again", "error", err, "wait", delay)
		} else {
			c.log.Debug("still no connection", "error", err, "wait", delay, "attempt", wait.failures)
		}
		if err := c.pause(ctx, delay); err != nil {
			return err
		}
	}
}

// connection makes one connection and stays until it has ended.
func (c *Client) connection(ctx context.Context) (*session, error) {
	ws, notBefore, err := c.dial(ctx)
	if err != nil {
		return &session{notBefore: notBefore}, fmt.Errorf("connect to %s: %w", c.where, err)
	}
	c.log.Info("connected", "url", c.where)
	c.begin(time.Now())
	l := &link{c: c, ws: ws, idle: idle(defaultPingEvery)}
	err = l.serve(ctx)
	return c.end(), err
}

// dialer completes what a caller left out.
func dialer(d *websocket.Dialer) websocket.Dialer {
	if d == nil {
		d = &websocket.Dialer{Proxy: http.ProxyFromEnvironment}
	}
	full := *d
	if full.HandshakeTimeout == 0 {
		full.HandshakeTimeout = 10 * time.Second
	}
	full.Subprotocols = []string{"steno.v1"}
	return full
}

// dial makes the connection. notBefore is the server's word on the next
// attempt, where it refused this one and gave it.
func (c *Client) dial(ctx context.Context) (ws *websocket.Conn, notBefore time.Time, err error) {
	header := http.Header{}
	if c.cfg.Token != "" {
		header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	// The websocket library heeds ctx only until the network connection is
	// made, so from then on its end closes the connection.
	heed := func() bool { return true }
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		heed = context.AfterFunc(ctx, func() { info.Conn.Close() })
	}})
	ws, response, err := c.dialer.DialContext(traced, c.cfg.URL, header)
	heed()
	if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
		return nil, retryAfter(response, time.Now()), &handshakeError{response.StatusCode}
	}
	return ws, time.Time{}, err
}

// retryAfter reads the header of that name, in seconds.
func retryAfter(r *http.Response, now time.Time) time.Time {
	s, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || s < 1 {
		return time.Time{}
	}
	var n session
	n.waitFor(milliseconds(min(s, 3600)*1000).duration(), now)
	return n.notBefore
}

// awaitStream waits until there is a stream to connect for: a server hangs up
// on those who have nothing to say.
func (c *Client) awaitStream(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.finished() {
			return errFinished
		}
		c.mu.Lock()
		some := len(c.streams) > 0
		c.mu.Unlock()
		if some {
			return nil
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
		}
	}
}

// again says whether there was a connection before this one.
func (c *Client) again() bool { return c.Stats().Reconnects > 0 }

// pause waits d, or until a closing client has nothing left to do.
func (c *Client) pause(ctx context.Context, d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return nil
		case <-c.wake:
			if c.finished() {
				return errFinished
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// backoff is the wait between attempts.
type backoff struct {
	least, most time.Duration
	failures    int
}

// next doubles the wait up to the most, and takes up to half of it away at
// random, so that many clients do not come back in step.
func (b *backoff) next() time.Duration {
	d := b.most
	if b.failures < 32 && b.least<<b.failures>>b.failures == b.least {
		d = min(b.least<<b.failures, b.most)
	}
	b.failures++
	return d - rand.N(d/2+1)
}

// lateWords is how long after a reconnect what was said before it may still be
// on the way. An open among that takes a stream from the connection that has
// come since.
const lateWords = 5 * time.Second

// rival is who takes this client's streams: somebody else, or nobody but what
// the client itself had said on a connection before. A server of ours lets that
// take nothing, unless the clocks of a cluster's doors are off.
type rival struct{ believed time.Time } // that it was nobody, last

// nobody says whether a client that was replaced may come back: once in a while,
// for somebody may be there all the same.
func (r *rival) nobody(again bool, lasted time.Duration) bool {
	now := time.Now()
	if !again || lasted >= lateWords || now.Sub(r.believed) < time.Minute {
		return false
	}
	r.believed = now
	return true
}
