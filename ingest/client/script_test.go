package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/steno/bench/memnet"
	"example.com/steno/ingest/client"
	"github.com/gorilla/websocket"
)

// message is what the client wrote, as far as tests look at it.
type message struct {
	Type, Stream, Content, Reason string
	Seq                           uint64
	raw                           string
}

func (m message) String() string {
	switch m.Type {
	case "utterance":
		return fmt.Sprintf("utterance %s %d", m.Stream, m.Seq)
	case "partial":
		return fmt.Sprintf("partial %s %s", m.Stream, m.Content)
	case "close":
		return fmt.Sprintf("close %s %s", m.Stream, m.Reason)
	}
	return strings.TrimSpace(m.Type + " " + m.Stream)
}

// script plays the server on one connection; the connection ends with it.
type script func(*peer)

// host is a server that plays one script a connection. It runs in the test's
// bubble.
type host struct {
	t  *testing.T
	ln *memnet.Listener

	only401 bool // every handshake is refused
	hang    bool // no handshake is answered
	spare   bool // there may be more scripts than connections

	playing sync.WaitGroup // scripts

	mu      sync.Mutex
	scripts []script
	dials   []time.Time
	header  http.Header // of the last handshake
}

// serve starts a host. A nil script answers the handshake with 503.
func serve(t *testing.T, scripts ...script) *host {
	h := &host{t: t, ln: memnet.Listen(), scripts: scripts}
	s := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := s.Serve(h.ln); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		s.Close()
		<-served
		h.mu.Lock()
		if n := len(h.dials); n < len(h.scripts) && !h.spare {
			t.Errorf("%d connections were made, %d are in the script", n, len(h.scripts))
		}
		h.mu.Unlock()
		h.playing.Wait()
	})
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.playing.Add(1)
	defer h.playing.Done()
	n := len(h.dials)
	h.dials = append(h.dials, time.Now())
	h.header = r.Header
	h.mu.Unlock()
	if h.only401 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if h.hang {
		<-r.Context().Done()
		return
	}
	if n >= len(h.scripts) {
		h.t.Errorf("connection %d was made, %d are in the script", n+1, len(h.scripts))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if h.scripts[n] == nil {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"steno.v1"}}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		h.t.Errorf("connection %d: %v", n+1, err)
		return
	}
	defer ws.Close()
	p := &peer{t: h.t, ws: ws, n: n + 1}
	h.scripts[n](p)
}

// dialled returns when the nth connection was made, from 1.
func (h *host) dialled(n int) time.Time {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if n > len(h.dials) {
		h.t.Fatalf("%d connections were made, want at least %d", len(h.dials), n)
	}
	return h.dials[n-1]
}

// client returns a client of the host.
func (h *host) client(cfg client.Config) *client.Client {
	h.t.Helper()
	cfg.URL = "ws://steno.example/v1/ingest"
	cfg.Dialer = &websocket.Dialer{NetDialContext: h.ln.Dial}
	c, err := client.New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// run starts a client of the host. The channel gets what Run returns; the test
// ends with the client.
func (h *host) run(cfg client.Config) (*client.Client, <-chan error) {
	h.t.Helper()
	c := h.client(cfg)
	ctx, stop := context.WithCancel(context.Background())
	result, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		result <- c.Run(ctx)
	}()
	h.t.Cleanup(func() {
		stop()
		<-ended
	})
	return c, result
}

// peer is the server's side of one connection.
type peer struct {
	t       *testing.T
	ws      *websocket.Conn
	n       int
	waiting []message
	frames  int
	largest int
	pings   int
	err     error // what ended the reading
}

// next returns the client's next message, pings aside, or one without type
// when the connection has ended.
func (p *peer) next() message {
	for {
		for len(p.waiting) == 0 {
			_, b, err := p.ws.ReadMessage()
			if err != nil {
				p.err = err
				return message{}
			}
			p.frames++
			p.largest = max(p.largest, len(b))
			p.split(b)
		}
		m := p.waiting[0]
		p.waiting = p.waiting[1:]
		if m.Type != "ping" {
			return m
		}
		p.pings++
		p.say(`{"type":"pong"}`)
	}
}

func (p *peer) split(frame []byte) {
	for d := json.NewDecoder(bytes.NewReader(frame)); ; {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == io.EOF {
			return
		}
		var m message
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			p.t.Errorf("connection %d: frame %q: %v", p.n, frame, err)
			return
		}
		m.raw = string(raw)
		p.waiting = append(p.waiting, m)
	}
}

// expect reads one message for each of want, which reads as message.String.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next().String(); got != w {
			p.t.Errorf("connection %d: the client wrote %q, want %q", p.n, got, w)
		}
	}
}

// say writes one frame.
func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		p.t.Errorf("connection %d: %v", p.n, err)
	}
}

// open expects the open of leg-1 and answers it.
func (p *peer) open(epoch string, acked uint64) {
	p.t.Helper()
	p.expect("open leg-1")
	p.say(`{"type":"opened","stream":"leg-1","epoch":%q,"acked":%d,"window":4,"pingEvery":10000}`, epoch, acked)
}

func (p *peer) ack(seq uint64) {
	p.t.Helper()
	p.say(`{"type":"ack","stream":"leg-1","seq":%d}`, seq)
}

// close sends a close frame and waits for the client's.
func (p *peer) close(code int, text string) {
	p.t.Helper()
	if err := p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second)); err != nil {
		p.t.Errorf("connection %d: close with %d: %v", p.n, code, err)
	}
	p.quiet()
}

// quiet expects the client to write nothing more but pings, until it hangs up.
func (p *peer) quiet() {
	p.t.Helper()
	if m := p.next(); m.Type != "" {
		p.t.Errorf("connection %d: the client wrote %q, want nothing", p.n, m)
	}
}

// gone waits for the client to hang up with a close code.
func (p *peer) gone(code int) {
	p.t.Helper()
	p.quiet()
	if !websocket.IsCloseError(p.err, code) {
		p.t.Errorf("connection %d ended with %v, want close code %d", p.n, p.err, code)
	}
}

// stream opens leg-1.
func stream(t *testing.T, c *client.Client) *client.Stream {
	t.Helper()
	s, err := c.Open(client.Open{Stream: "leg-1", VendorCallKey: "b09955ce"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send sends n utterances.
func send(t *testing.T, s *client.Stream, n int) {
	t.Helper()
	for range n {
		if _, err := s.Send(t.Context(), client.Utterance{Channel: "0", Content: "Hello"}); err != nil {
			t.Fatal(err)
		}
	}
}

func closeStream(t *testing.T, s *client.Stream) {
	t.Helper()
	if err := s.Close(t.Context(), "end"); err != nil {
		t.Errorf("Close of the stream: %v", err)
	}
}

func closeClient(t *testing.T, c *client.Client, result <-chan error) {
	t.Helper()
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("Close of the client: %v", err)
	}
	if err := <-result; err != nil {
		t.Errorf("Run after Close: %v", err)
	}
}

func wantStats(t *testing.T, c *client.Client, want client.Stats) {
	t.Helper()
	if got := c.Stats(); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}
