package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

const (
	// farewell is how long the last words may take, both ways.
	farewell = time.Second

	// patience is how long a server that has said reconnect may take to flush
	// its acknowledgements and hang up.
	patience = 30 * time.Second
)

// errFinished ends a connection that is not needed any more.
var errFinished = errors.New("all is done")

// link is one connection, from its handshake to its end: the goroutine that
// reads and the one that writes. What they read and write the client decides.
type link struct {
	c  *Client
	ws *websocket.Conn

	// Of the reader.
	events  []event // its room for what apply returns
	idle    time.Duration
	leaveBy time.Time // the server must have hung up by then; zero: it may stay
}

// serve returns when the connection has ended, with the reason: what the server
// said in its close frame, where it did.
func (l *link) serve(ctx context.Context) error {
	var readErr, writeErr error
	gone := make(chan struct{}) // nothing is left to read
	g, ending := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(gone)
		readErr = l.read()
		return readErr
	})
	g.Go(func() error {
		writeErr = l.write(ending)
		switch {
		case writeErr == errFinished:
			l.hangUp(websocket.CloseNormalClosure)
		case ctx.Err() != nil:
			l.hangUp(websocket.CloseGoingAway)
		}
		return writeErr
	})
	g.Go(func() error {
		// After the first of them has ended, the reader may still find
		// acknowledgements, and the server's reason.
		<-ending.Done()
		enough := time.NewTimer(farewell)
		defer enough.Stop()
		select {
		case <-gone:
		case <-enough.C:
		}
		return l.ws.Close()
	})
	_ = g.Wait() // whichever error came first, the better one is picked below
	if _, ok := errors.AsType[*websocket.CloseError](readErr); ok && writeErr != errFinished || writeErr == nil {
		return fmt.Errorf("read: %w", readErr)
	}
	return writeErr
}

// read takes in the server's answers until there are no more.
func (l *link) read() error {
	l.ws.SetReadLimit(maxMessage)
	l.ws.SetPingHandler(func(data string) error {
		l.alive()
		l.c.owePong(data)
		return nil
	})
	l.alive()
	for {
		_, r, err := l.ws.NextReader()
		if err != nil {
			return err
		}
		l.alive()
		if err := l.readFrame(json.NewDecoder(r)); err != nil {
			return err
		}
	}
}

// readFrame takes in one frame: an object, or several as NDJSON.
func (l *link) readFrame(frame *json.Decoder) error {
	for {
		var m reply
		if err := frame.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("decode the server's frame: %w", err)
		}
		events, err := l.c.apply(&m, time.Now(), l.events[:0])
		l.c.tellHooks(events)
		if err != nil {
			return err
		}
		l.events = events
		switch {
		case m.Type == "reconnect":
			l.leaveBy = time.Now().Add(patience)
			l.alive()
		case m.Type == "opened":
			l.idle = l.c.idle()
			l.alive()
		}
	}
}

// alive puts off the moment when the server counts as dead, for both
// directions: a server that sends pings but reads nothing is catching up, and
// to drop its connection would only add to its load.
func (l *link) alive() {
	by := time.Now().Add(l.idle)
	if !l.leaveBy.IsZero() && l.leaveBy.Before(by) {
		by = l.leaveBy
	}
	// Neither can fail but on a closed connection, which the next read finds.
	_ = l.ws.SetReadDeadline(by)
	_ = l.ws.NetConn().SetWriteDeadline(by)
}

// write sends what the client has to say until it is finished, or ctx is done.
func (l *link) write(ctx context.Context) error {
	look := time.NewTimer(0)
	defer look.Stop()
	var frame []byte
	for ctx.Err() == nil {
		now := time.Now()
		t := l.c.fill(frame[:0], now)
		if t.finished {
			return errFinished
		}
		if t.pong != nil {
			if err := l.ws.WriteControl(websocket.PongMessage, []byte(*t.pong), now.Add(t.idle)); err != nil {
				return fmt.Errorf("write a pong: %w", err)
			}
		}
		if len(t.frame) > 0 {
			frame = t.frame
			_ = l.ws.SetWriteDeadline(now.Add(t.idle)) // never fails
			if err := l.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
				return fmt.Errorf("write a frame of %d bytes: %w", len(frame), err)
			}
			continue
		}
		look.Reset(time.Until(t.next))
		select {
		case <-l.c.wake:
		case <-look.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func (l *link) hangUp(code int) {
	// Where it cannot be written the server finds out by itself.
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(farewell))
}

// owePong leaves the answer to a WebSocket ping to the writer.
func (c *Client) owePong(data string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.pong = &data
		c.signal()
	}
}

// idle is how long the server may be silent.
func (c *Client) idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return idle(c.session.pingEvery)
}
