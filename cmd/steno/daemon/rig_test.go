package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/bench/memnet"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// rig is a whole flow in a bubble: engines, the daemon, and a simulated org,
// on a network in memory.
type rig struct {
	t        *testing.T
	org      *orgsim.Org
	orgNet   *memnet.Listener
	daemon   *Daemon
	pipeline *pipeline // its only one
	disk     *disk
	wire     *counted // of the daemon of the moment to the org
	vars     []string
	barred   atomic.Bool // nothing may be sent
	mu       sync.Mutex  // guards doors, which engines that live on look for
	doors    *memnet.Listener
	admin    *memnet.Listener
	drain    context.CancelFunc
	done     chan error
	log      *logged
	want     map[string][]string // message ids by call, in the order in which they were said
}

// bubble runs test with a rig, and takes the rig down.
func bubble(t *testing.T, cfg orgsim.Config, test func(*testing.T, *rig), vars ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, cfg, vars...)
		test(t, r)
		r.stop()
	})
}

func newRig(t *testing.T, cfg orgsim.Config, vars ...string) *rig {
	r := &rig{
		t: t, org: orgsim.New(cfg), orgNet: memnet.Listen(), disk: newDisk(), vars: vars,
		log: &logged{}, want: map[string][]string{},
	}
	sim := &http.Server{Handler: r.org}
	go sim.Serve(r.orgNet)
	t.Cleanup(func() { sim.Close() })
	r.start()
	return r
}

// start starts a daemon on the rig's disk.
func (r *rig) start() {
	environ := []string{
		"STENO_SF_LOGIN_URL=http://127.0.0.1:1", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush",
		"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert", "STENO_LOG_LEVEL=debug", "STENO_SPOOL_DIR=" + InMemory,
	}
	s, err := ParseSettings(append(environ, r.vars...))
	if err != nil {
		r.t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.wire = &counted{RoundTripper: r.orgNet.Client().Transport}
	r.mu.Lock()
	r.doors = memnet.Listen()
	r.mu.Unlock()
	r.admin, r.done = memnet.Listen(), make(chan error, 1)
	r.daemon = newDaemon(s, log)
	r.daemon.doors, r.daemon.admin = r.doors, r.admin
	r.daemon.outfit = func(cfg *pipelineConfig) {
		cfg.http, cfg.spool, cfg.dialer = r.wire, r.disk.open(), r.dialer()
		cfg.maySend = func() error {
			if r.barred.Load() {
				return errors.New("another member owns the partition")
			}
			return nil
		}
	}
	if err := r.daemon.addAll(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.pipeline = r.daemon.pipelineOf("").pipeline
	ctx, drain := context.WithCancel(r.t.Context())
	r.drain = drain
	done, daemon := r.done, r.daemon
	go func() { done <- daemon.Run(ctx) }()
}

// logged is a log that may be read while it is written, by one daemon after the
// other.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// counted is a transport that knows how many requests were under way at most,
// and under which traces.
type counted struct {
	http.RoundTripper
	mu        sync.Mutex
	now, most int
	traces    []string // the traceparents of transcript requests
}

func (c *counted) RoundTrip(req *http.Request) (*http.Response, error) {
	c.add(1)
	defer c.add(-1)
	if strings.HasSuffix(req.URL.Path, "Messages") {
		c.mu.Lock()
		c.traces = append(c.traces, req.Header.Get("Traceparent"))
		c.mu.Unlock()
	}
	return c.RoundTripper.RoundTrip(req)
}

func (c *counted) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

func (c *counted) CloseIdleConnections() { c.RoundTripper.(*http.Transport).CloseIdleConnections() }

// kill ends the daemon as SIGKILL would, as far as the disk can tell: from now
// on nothing is written to it.
func (r *rig) kill() {
	r.pipeline.spool.(*survivor).kill()
	r.drain()
	<-r.done
}

// stop drains the daemon and checks that it ends well, unless the test has
// done so.
func (r *rig) stop() {
	r.t.Helper()
	r.drain()
	if r.done == nil {
		return
	}
	if err := <-r.done; err != nil {
		r.t.Errorf("the daemon ended with %v", err)
	}
	r.done = nil
}

// engine is a client of the daemon that runs until stopped is called.
func (r *rig) engine() (c *client.Client, stop func()) {
	c, err := client.New(client.Config{
		URL:    "ws://127.0.0.1:1/v1/ingest",
		Dialer: &websocket.Dialer{NetDialContext: r.dial},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	return c, func() { cancel(); <-ended }
}

// dial finds the daemon of the moment.
func (r *rig) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	doors := r.doors
	r.mu.Unlock()
	return doors.Dial(ctx, network, address)
}

// open opens the stream of a call, which bears the call's name.
func (r *rig) open(c *client.Client, call string, events ...string) *client.Stream {
	s, err := c.Open(client.Open{
		Stream: call, VendorCallKey: call, StartTime: time.Now().UnixMilli(), Events: events,
		Channels: map[string]client.Channel{"0": {SenderType: "END_USER"}, "1": {SenderType: "HUMAN_AGENT", ParticipantID: "005xx000001Sv6AAAS"}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// say sends the call's next n utterances, the speakers in turn.
func (r *rig) say(s *client.Stream, call string, n int) {
	for range n {
		id := fmt.Sprintf("%s/%d", call, len(r.want[call])+1)
		now := time.Now().UnixMilli()
		u := client.Utterance{
			MessageID: id, Channel: fmt.Sprint(len(r.want[call]) % 2), StartTime: now, EndTime: now + 1, Content: "the secret words of " + id,
		}
		if _, err := s.Send(r.t.Context(), u); err != nil {
			r.t.Fatalf("send %s: %v", id, err)
		}
		r.want[call] = append(r.want[call], id)
	}
}

// arrived compares the org's ledger with what was said.
func (r *rig) arrived() orgsim.Comparison {
	r.t.Helper()
	ledger := r.org.Ledger()
	if ledger.LargestEntries > 5 || ledger.LargestMessages > 5 || ledger.MaxInFlightPerCall > 1 {
		r.t.Errorf("limits: %d entries, %d messages, %d in flight of one call, want at most 5, 5 and 1",
			ledger.LargestEntries, ledger.LargestMessages, ledger.MaxInFlightPerCall)
	}
	return ledger.Compare(r.want)
}

// get asks the admin listener.
func (r *rig) get(path string) (status int, body string) { return r.getWith(path, "Accept", "*/*") }

// getWith is get with a header.
func (r *rig) getWith(path, header, value string) (status int, body string) {
	c := r.admin.Client()
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://127.0.0.1"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set(header, value)
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metric is the value of one metric's line, "" if there is none.
func metric(scrape, name string) string {
	lines := strings.Split(scrape, "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") })
	if i < 0 {
		return ""
	}
	return strings.TrimPrefix(lines[i], name+" ")
}
