package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"example.com/steno/batcher/spool"
	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"
)

// startWait is how long a client that comes while the spool is being opened is
// kept waiting before it is told to come again.
const startWait = 5 * time.Second

// errAbandoned is why appends end that outlast a drain.
var errAbandoned = errors.New("the drain's time is over")

// Server is the doors and what is behind them. Its methods may be called from
// any goroutine.
type Server struct {
	cfg       Config
	guard     Guard
	spool     spool.Spool
	log       *slog.Logger
	metrics   counters
	upgrader  websocket.Upgrader
	recovered chan struct{} // closed when the streams from before are known
	wake      chan struct{} // size 1: Run has something to look at
	empty     chan struct{} // closed when the server drains and nobody is left
	spares    spares
	failing   atomic.Bool // the last append has failed
	listened  atomic.Bool // see Listened

	// hard ends the appends that outlast a drain. It is the root of what the
	// handlers do: a client that hangs up must not end an append, whose outcome
	// nobody would then know.
	hard    context.Context
	abandon context.CancelCauseFunc

	mu          sync.Mutex // guards all that follows, and every connection's and stream's state
	registry    registry
	conns       map[*connection]struct{}
	connections uint64 // that ever were
	inside      int    // requests let in: connections and posts
	draining    bool
}

// New returns a server that appends to s. Its doors open once Run has asked s
// for the streams from before. A Server registers its metrics in set, which
// can have one Server only.
func New(cfg Config, s spool.Spool, set *metrics.Set, log *slog.Logger) *Server {
	cfg = cfg.withDefaults()
	hard, abandon := context.WithCancelCause(context.Background())
	server := &Server{
		cfg: cfg, guard: NewGuard(cfg), spool: s, log: log, metrics: newCounters(set, cfg.Dialects),
		recovered: make(chan struct{}), wake: make(chan struct{}, 1), empty: make(chan struct{}),
		hard: hard, abandon: abandon,
		registry: newRegistry(), conns: map[*connection]struct{}{},
	}
	server.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeWait,
		Subprotocols:     []string{subprotocol},
		ReadBufferSize:   2048,
		WriteBufferSize:  1024,
		WriteBufferPool:  new(sync.Pool),                           // most connections write nothing at any moment
		CheckOrigin:      func(*http.Request) bool { return true }, // the guard has
		Error:            server.refuseHandshake,
	}
	server.newGauges(set)
	return server
}

// Handler serves the doors.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ingest", s.serveSocket)
	mux.HandleFunc("GET /v1/ingest/{dialect}", s.serveEngine)
	mux.HandleFunc("POST /v1/ingest/{dialect}", s.servePush)
	mux.HandleFunc("POST /v1/calls/{vendorCallKey}/utterances", s.servePost)
	mux.HandleFunc("POST /v1/calls/utterances", s.servePost) // where "//" ends up: the key is empty, and gets told so
	return mux
}

// Run brings back the streams from before, opens the doors, and forgets
// streams and message ids whose time is over, until ctx is done; then it
// returns nil. It returns an error only where the spool cannot say what was
// before. It closes no connection: that is Drain's.
func (s *Server) Run(ctx context.Context) error {
	before, err := s.spool.Recover(ctx)
	if err != nil {
		return fmt.Errorf("recover the streams from before: %w", err)
	}
	s.mu.Lock()
	for _, mark := range before.Streams {
		s.registry.recover(mark, time.Now())
	}
	s.registry.recoverIDs(before.Recent)
	s.mu.Unlock()
	close(s.recovered)
	s.log.Info("ingest is open", "recovered_streams", len(before.Streams), "recovered_ids", len(before.Recent))
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		if next := s.expire(time.Now()); next.IsZero() {
			due.Stop()
		} else {
			due.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		case <-s.wake:
		}
	}
}

// expire forgets what is over at now and returns when it must be called again;
// zero: not before something new comes.
//
// The spool forgets first. A stream that comes back in between keeps its life
// here, and the spool learns of it again with its next utterance; the other
// way round the spool could forget a life that had just begun.
func (s *Server) expire(now time.Time) (next time.Time) {
	before := now.Add(-s.cfg.Resume)
	s.mu.Lock()
	due := s.registry.due(before)
	s.mu.Unlock()
	for _, stream := range due {
		if err := s.spool.Forget(stream.id); err != nil {
			s.log.Warn("the spool does not forget a stream", "call", stream.id.Call, "stream", stream.id.ID, "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next = s.registry.expire(before); !next.IsZero() {
		next = next.Add(s.cfg.Resume)
	}
	return next
}

// Drain lets nobody in any more, tells every client to reconnect, makes what
// was received safe, acknowledges it, and closes with 1001. It returns nil when
// all have left, or an error when ctx is done first: then appends still under
// way are given up, and those who wait for them are not acknowledged.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		s.log.Info("ingest drains", "connections", len(s.conns))
		for c := range s.conns {
			c.drain()
		}
		if s.inside == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.abandon(errAbandoned)
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("drain: %d connections and requests are left: %w", s.inside, context.Cause(ctx))
}

// Listened says whether any stream has ever asked to be told what Salesforce has
// accepted. While none has, nobody need gather that for Settled.
func (s *Server) Listened() bool { return s.listened.Load() }

// Settled is told what Salesforce has accepted, and at what time. It tells the
// streams that asked for it. It never waits: a client that is far behind with
// reading is told less.
func (s *Server) Settled(at time.Time, delivered []*spool.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range delivered {
		st := s.registry.streams[r.Stream]
		if st == nil || st.owner == nil || !st.opening.delivered || st.epoch != r.Epoch {
			continue
		}
		if c := st.owner; len(c.first) < 4*s.cfg.Window {
			c.first = append(c.first, encode(deliveredAnswer{
				Type: "delivered", Stream: st.id.ID, Seq: r.Seq, LatencyMs: at.Sub(r.Received).Milliseconds(),
			}))
			c.work()
		}
	}
}

// serveSocket is the WebSocket door.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r) {
		return
	}
	since := s.since(r)
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.leave()
		s.log.Debug("websocket handshake refused", "error", err)
		return
	}
	c := s.newConnection(ws)
	c.since = since
	s.run(c)
}

// HeaderSince is by which a door tells since when a client is connected, in
// microseconds since the epoch by the door's own clock.
const HeaderSince = "Steno-Since"

// since is when the client has connected.
func (s *Server) since(r *http.Request) time.Time {
	if s.cfg.Relayed {
		if at, err := strconv.ParseInt(r.Header.Get(HeaderSince), 10, 64); err == nil {
			return time.UnixMicro(at)
		}
	}
	return time.Now()
}

// run serves a connection that was let in, and leaves for it. It does so in a
// goroutine of its own: the handler's would hold the request, its buffers and a
// deep stack for as long as a call lasts. Drain waits for it.
func (s *Server) run(c *connection) {
	go func() {
		defer s.leave()
		c.serve()
	}()
}

// enter lets a request in, or answers it. Who was let in must leave.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) (ok bool) {
	if status, why, text := s.guard.refuse(r); status != 0 {
		s.metrics.refused[why].Inc()
		writeRefusal(w, status, text)
		return false
	}
	why := s.admit(r.Context())
	if why == "" {
		return true
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	s.refuse(w, http.StatusServiceUnavailable, why, &fault{codeOverloaded, "the server is " + why + ": come again"})
	return false
}

// admit counts a request in, or says why not. While the spool is being opened
// it waits for a moment.
func (s *Server) admit(ctx context.Context) (why string) {
	select {
	case <-s.recovered:
	default:
		patience := time.NewTimer(startWait)
		defer patience.Stop()
		select {
		case <-s.recovered:
		case <-patience.C:
			return "starting"
		case <-ctx.Done():
			return "starting"
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return "draining"
	case s.inside >= s.cfg.MaxConnections:
		return "full"
	}
	s.inside++
	return ""
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside--; s.inside == 0 && s.draining {
		close(s.empty)
	}
}

func (s *Server) refuse(w http.ResponseWriter, status int, why string, f *fault) {
	s.metrics.refused[why].Inc()
	writeFault(w, status, f)
}

// refuseHandshake answers a request that is no WebSocket handshake.
func (s *Server) refuseHandshake(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	s.refuse(w, status, "handshake", &fault{codeInvalid, reason.Error()})
}

// append stores a group, and logs when the spool stops taking them and when it
// takes them again.
func (s *Server) append(ctx context.Context, group []*spool.Record) error {
	err := s.spool.Append(ctx, group)
	if failing := err != nil; s.failing.Swap(failing) != failing {
		if failing {
			s.log.Error("utterances cannot be stored", "error", err)
		} else {
			s.log.Info("utterances are stored again")
		}
	}
	return err
}

// jitter spreads clients that were told the same time: between half and one
// and a half times d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }
