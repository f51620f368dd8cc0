// Package memnet is a network that lives in memory: a listener whose
// connections are net.Pipe pairs. Servers and clients of this module run on
// it inside testing/synctest bubbles, where a real socket would keep the
// bubble's clock from ever moving.
//
// It is an instrument of the laboratory; shipped code never imports it.
package memnet

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Listener accepts what Dial connects. It is a net.Listener for one
// http.Server.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener that waits for Dial.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for a Dial. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and refuses every later Dial. Connections that exist live on.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a loopback address that nothing listens on, so that servers which
// let only loopback clients in behave as they would on a real one.
func (l *Listener) Addr() net.Addr { return addr }

var addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// Dial connects to the listener; network and address are ignored, so it fits
// http.Transport.DialContext and websocket.Dialer.NetDialContext.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- conn{server}:
		return conn{client}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Client is an http.Client whose every request goes to this listener.
func (l *Listener) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: l.Dial, MaxIdleConnsPerHost: 256}}
}

// conn gives a pipe the loopback address: net.Pipe's own is not host:port.
type conn struct{ net.Conn }

func (conn) LocalAddr() net.Addr  { return addr }
func (conn) RemoteAddr() net.Addr { return addr }
