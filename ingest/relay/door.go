package relay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/ingest"
	"example.com/steno/ingest/dialect"
)

const (
	// writeWait is how long a client or an owner may take to read one frame.
	writeWait = 10 * time.Second
	// closeWait is how long the last answers and close frames may take.
	closeWait = 2 * time.Second
	// retryAfter is what a client is asked to wait that finds no owner.
	retryAfter = time.Second
	// retryEvery is how often an owner is called that does not answer, where no
	// other owner is announced.
	retryEvery = 100 * time.Millisecond
)

// Target is a partition and the daemon that works on it.
type Target struct {
	Address   string // host:port where it listens for the other daemons
	Org       string
	Partition int
}

// Routes knows who works on which calls.
type Routes interface {
	// Route returns the target of a call, by the key that its transcript goes
	// out under; ok is false while nobody works on it.
	Route(org, call string) (t Target, ok bool)
	// Changed is closed when any route has changed since the call.
	Changed() <-chan struct{}
}

// Config is what a Door works with. Zero means the default that each field
// names.
type Config struct {
	Routes Routes
	Key    string // by which the daemons of a cluster know each other

	// MaxConnections counts WebSockets and requests. Default 25,000.
	MaxConnections int
	// MaxFrame is the size of a frame or a body, in bytes. Default 1 MiB.
	MaxFrame int
	// Patience is how long a request waits while nobody works on the call that
	// its URL names: a partition that moves takes some seconds. Default 10 s.
	Patience time.Duration
	// PingEvery is the time between two WebSocket pings, and Idle how long a
	// connection may show no sign of life. Default 25 s and 60 s.
	PingEvery, Idle time.Duration

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: over TCP
	Log  *slog.Logger
}

func (c Config) withDefaults() Config {
	c.MaxConnections = cmp.Or(c.MaxConnections, 25_000)
	c.MaxFrame = cmp.Or(c.MaxFrame, 1<<20)
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	c.PingEvery = cmp.Or(c.PingEvery, 25*time.Second)
	c.Idle = cmp.Or(c.Idle, time.Minute)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: closeWait}).DialContext
	}
	return c
}

// Door relays what it is handed. Its methods may be called from any goroutine.
type Door struct {
	cfg      Config
	upgrader websocket.Upgrader
	dialer   websocket.Dialer
	client   http.Client // of the owners' HTTP doors
	dialects map[string]dialect.Dialect
	life     context.Context // of the connections; ends with a drain's patience
	end      context.CancelFunc
	empty    chan struct{} // closed when the door drains and no link is left

	mu       sync.Mutex // guards what follows
	links    map[*link]struct{}
	inside   int
	draining bool
}

// New returns a door. Whoever asks at its handlers has been let in: a token
// opens an org, and which one is for the caller to know.
func New(cfg Config) *Door {
	cfg = cfg.withDefaults()
	d := &Door{
		cfg: cfg, links: map[*link]struct{}{}, empty: make(chan struct{}), dialects: map[string]dialect.Dialect{},
		upgrader: websocket.Upgrader{
			HandshakeTimeout: writeWait, ReadBufferSize: 2048, WriteBufferSize: 1024, WriteBufferPool: new(sync.Pool),
			CheckOrigin: func(*http.Request) bool { return true }, // who asks was let in
			Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
				w.Header().Set("Sec-WebSocket-Version", "13")
				refuse(w, status, "invalid", reason.Error())
			},
		},
		client: http.Client{Transport: &http.Transport{DialContext: cfg.Dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}},
		dialer: websocket.Dialer{
			NetDialContext: cfg.Dial, HandshakeTimeout: closeWait,
			ReadBufferSize: 2048, WriteBufferSize: 1024, WriteBufferPool: new(sync.Pool),
		},
	}
	for _, one := range dialect.All() {
		d.dialects[one.Name] = one
	}
	d.life, d.end = context.WithCancel(context.Background())
	return d
}

// Handler serves the doors of one org: those of ingest.Server.
func (d *Door) Handler(org string) http.Handler {
	at := func(serve func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { serve(w, r, org) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ingest", at(d.serveNative))
	mux.HandleFunc("GET /v1/ingest/{dialect}", at(d.serveEngine))
	mux.HandleFunc("POST /v1/ingest/{dialect}", at(d.servePush))
	mux.HandleFunc("POST /v1/calls/{vendorCallKey}/utterances", at(d.servePost))
	mux.HandleFunc("POST /v1/calls/utterances", at(d.servePost)) // the key is empty: the owner says so
	return mux
}

// Run ends the connections whose calls another daemon works on now, until ctx
// is done. An owner that hangs would not end them itself.
func (d *Door) Run(ctx context.Context) error {
	for {
		changed := d.cfg.Routes.Changed()
		for _, l := range d.all() {
			l.follow()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// all are the links of the moment.
func (d *Door) all() []*link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.links))
}

// goingAway is how a link ends that a drain ends.
var goingAway = ending{code: websocket.CloseGoingAway, text: "the daemon is going away: reconnect"}

// Connections counts the clients that are connected.
func (d *Door) Connections() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.links)
}

// Drain lets nobody in any more, tells the clients to reconnect, passes on the
// answers to what they have said, and closes with 1001. It returns nil when all
// have left, or an error when ctx is done first.
func (d *Door) Drain(ctx context.Context) error {
	d.mu.Lock()
	first := !d.draining
	d.draining = true
	if first && d.inside == 0 {
		close(d.empty)
	}
	d.mu.Unlock()
	for _, l := range d.all() {
		l.close(goingAway)
	}
	select {
	case <-d.empty:
		return nil
	case <-ctx.Done():
		d.end()
		return fmt.Errorf("drain the relay: %w", context.Cause(ctx))
	}
}

// enter lets a connection in, or answers why not.
func (d *Door) enter(w http.ResponseWriter) (ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.draining:
		refuse(w, http.StatusServiceUnavailable, "overloaded", "the daemon is draining: come again")
	case d.inside >= d.cfg.MaxConnections:
		refuse(w, http.StatusServiceUnavailable, "overloaded", "the daemon is full: come again")
	default:
		d.inside++
		return true
	}
	return false
}

// leave is what every connection that was let in must do.
func (d *Door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside--; d.inside == 0 && d.draining {
		close(d.empty)
	}
}

// begin runs a link in a goroutine of its own, which leaves for it: the
// handler's would hold the request for as long as a call lasts.
func (d *Door) begin(l *link, take func(kind int, frame []byte) bool) {
	d.mu.Lock()
	d.links[l] = struct{}{}
	draining := d.draining
	d.mu.Unlock()
	if draining {
		l.close(goingAway)
	}
	go func() {
		defer d.leave()
		l.serve(take)
		d.mu.Lock()
		delete(d.links, l)
		d.mu.Unlock()
	}()
}

// complain logs why an owner cannot be reached, where that is not for a moment.
func (d *Door) complain(err error) {
	if !errors.Is(err, errNoOwner) {
		d.cfg.Log.Error("an owner cannot be reached", "cause", err)
	}
}

// refuse answers as ingest does.
func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", fmt.Sprint(int(retryAfter.Seconds())))
	}
	w.WriteHeader(status)
	// An answer that cannot be written has no reader.
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": text}})
}

// subprotocol is what a client of the native protocol wants to see chosen.
func subprotocol(r *http.Request) []string {
	return []string{ingest.Subprotocol(websocket.Subprotocols(r), []string{"steno.v1"})}
}
