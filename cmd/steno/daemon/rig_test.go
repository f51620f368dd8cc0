package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"

	"example.com/steno/batcher/spool"
	"example.com/steno/bench/memnet"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient"
	"example.com/steno/sfclient/orgsim"
)

// rig is a whole flow in a bubble: engines, the daemon, and a simulated org,
// on a network in memory.
type rig struct {
	t      *testing.T
	org    *orgsim.Org
	orgNet *memnet.Listener
	daemon *Daemon
	doors  *memnet.Listener
	admin  *memnet.Listener
	drain  context.CancelFunc
	done   chan error
	log    *strings.Builder
	want   map[string][]string // message ids by call, in the order in which they were said
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
		t: t, org: orgsim.New(cfg), orgNet: memnet.Listen(), doors: memnet.Listen(), admin: memnet.Listen(),
		done: make(chan error, 1), log: &strings.Builder{}, want: map[string][]string{},
	}
	sim := &http.Server{Handler: r.org}
	go sim.Serve(r.orgNet)
	t.Cleanup(func() { sim.Close() })
	environ := []string{
		"STENO_SF_LOGIN_URL=http://127.0.0.1:1", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush",
		"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert", "STENO_LOG_LEVEL=debug",
	}
	s, err := ParseSettings(append(environ, vars...))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clientConfig := s.clientConfig(log)
	clientConfig.HTTPClient = r.orgNet.Client()
	sf, err := sfclient.New(clientConfig)
	if err != nil {
		t.Fatal(err)
	}
	r.daemon = wire(s, sf, spool.NewMemory(), metrics.NewSet(), log)
	r.daemon.doors, r.daemon.admin = r.doors, r.admin
	ctx, drain := context.WithCancel(t.Context())
	r.drain = drain
	go func() {
		err := r.daemon.Run(ctx)
		sf.CloseIdleConnections()
		r.done <- err
	}()
	return r
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
		Dialer: &websocket.Dialer{NetDialContext: r.doors.Dial},
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

// open opens the stream of a call, which bears the call's name.
func (r *rig) open(c *client.Client, call string) *client.Stream {
	s, err := c.Open(client.Open{
		Stream: call, VendorCallKey: call, StartTime: time.Now().UnixMilli(),
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
func (r *rig) get(path string) (status int, body string) {
	c := r.admin.Client()
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://127.0.0.1" + path)
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
