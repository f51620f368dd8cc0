package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/bench/memnet"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// town is a daemon with several orgs in a bubble: each org's Salesforce on a
// port of its own, and all that goes there looked at.
type town struct {
	t      *testing.T
	file   string // the orgs file
	daemon *Daemon
	doors  *memnet.Listener
	admin  *memnet.Listener
	log    *logged
	drain  context.CancelFunc
	done   chan error

	mu    sync.Mutex // guards what follows
	homes map[string]*home
	stray []string // what went to an org and was another's
}

// home is an org's Salesforce and what outlives its pipelines.
type home struct {
	name string
	port int
	org  *orgsim.Org
	net  *memnet.Listener
	disk *disk
	want map[string][]string // message ids by call, in the order in which they were said
}

// plan is an org before it is there.
type plan struct {
	name string
	cfg  orgsim.Config
	more string // fields in the orgs file
	down bool   // from before the daemon, which fetches a token as it starts
}

// alike are plans that differ in their names.
func alike(cfg orgsim.Config, names ...string) (all []plan) {
	for _, name := range names {
		all = append(all, plan{name: name, cfg: cfg})
	}
	return all
}

// inTown runs test with a daemon that works for the orgs.
func inTown(t *testing.T, plans []plan, test func(*town), vars ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &town{t: t, file: filepath.Join(t.TempDir(), "orgs.yaml"), log: &logged{}, homes: map[string]*home{}}
		var lines []string
		for _, p := range plans {
			h := v.build(p.name, p.cfg)
			if p.down {
				h.org.Down(orgsim.Unavailable)
			}
			lines = append(lines, v.line(p.name, p.more))
		}
		v.write(lines...)
		v.start(vars)
		test(v)
		v.stop()
	})
}

// build adds an org to the town. The daemon knows nothing of it yet.
func (v *town) build(name string, cfg orgsim.Config) *home {
	cfg.ClientID, cfg.ClientSecret = "id-"+name, "hush-"+name // nobody else's opens it
	h := &home{
		name: name, port: 1 + len(v.homes), org: orgsim.New(cfg), net: memnet.Listen(), disk: newDisk(), want: map[string][]string{},
	}
	v.mu.Lock()
	v.homes[name] = h
	v.mu.Unlock()
	sim := &http.Server{Handler: h.org}
	go sim.Serve(h.net)
	v.t.Cleanup(func() { sim.Close() })
	return h
}

// line is an org in the orgs file, with more fields behind those it needs.
func (v *town) line(name string, more ...string) string {
	return fmt.Sprintf("  - {name: %s, login_url: 'http://127.0.0.1:%d', client_id: id-%s, client_secret: hush-%s, call_center: c, cert: k, tokens: [%s-1, %s-2]%s}\n",
		name, v.homes[name].port, name, name, name, name, strings.Join(append([]string{""}, slices.DeleteFunc(more, func(f string) bool { return f == "" })...), ", "))
}

// write writes the orgs file, with the orgs as they come or as whole lines.
func (v *town) write(orgs ...string) {
	content := "orgs:\n"
	for _, o := range orgs {
		if !strings.Contains(o, "{") {
			o = v.line(o)
		}
		content += o
	}
	if err := os.WriteFile(v.file, []byte(content), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

func (v *town) start(vars []string) {
	s, err := ParseSettings(append(vars, "STENO_ORGS_FILE="+v.file, "STENO_SPOOL_DIR="+InMemory, "STENO_LOG_LEVEL=debug", "STENO_DRAIN_TIMEOUT=10s"))
	if err != nil {
		v.t.Fatal(err)
	}
	v.doors, v.admin, v.done = memnet.Listen(), memnet.Listen(), make(chan error, 1)
	v.daemon = newDaemon(s, slog.New(slog.NewJSONHandler(v.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	v.daemon.doors, v.daemon.admin = v.doors, v.admin
	v.daemon.outfit = func(cfg *pipelineConfig) {
		v.mu.Lock()
		defer v.mu.Unlock()
		cfg.spool = v.homes[cfg.settings.SFOrg].disk.open()
		cfg.http = &customs{town: v, Transport: &http.Transport{DialContext: v.dialOrg}}
		cfg.dialer = &websocket.Dialer{NetDialContext: v.doors.Dial}
	}
	if err := v.daemon.addAll(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
	ctx, drain := context.WithCancel(v.t.Context())
	v.drain = drain
	go func() { v.done <- v.daemon.Run(ctx) }()
}

// stop drains the daemon, and says whether anything went astray.
func (v *town) stop() {
	v.t.Helper()
	v.drain()
	if err := <-v.done; err != nil {
		v.t.Errorf("the daemon ended with %v", err)
	}
	if len(v.stray) > 0 {
		v.t.Errorf("%d messages went to another org, as %s", len(v.stray), v.stray[0])
	}
	if strings.Contains(v.log.String(), "hush") {
		v.t.Error("the log holds a secret")
	}
}

// homeAt is the org at that port.
func (v *town) homeAt(port string) *home {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range v.homes {
		if fmt.Sprint(h.port) == port {
			return h
		}
	}
	return nil
}

// dialOrg is the way to the orgs.
func (v *town) dialOrg(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return v.homeAt(port).net.Dial(ctx, network, address)
}

// customs looks into whatever goes to an org: every message id begins with the
// org that it was said for.
type customs struct {
	town *town
	*http.Transport
}

var messageID = regexp.MustCompile(`"messageId":"([^/"]*)/[^"]*"`)

func (c *customs) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		h := c.town.homeAt(req.URL.Port())
		for _, m := range messageID.FindAllStringSubmatch(string(body), -1) {
			if m[1] != h.name {
				c.town.mu.Lock()
				c.town.stray = append(c.town.stray, m[0]+" to "+h.name)
				c.town.mu.Unlock()
			}
		}
	}
	return c.Transport.RoundTrip(req)
}

// engine is a client of the org, by its token, until stop is called.
func (v *town) engine(token string) (c *client.Client, stop func()) {
	c, err := client.New(client.Config{URL: "ws://127.0.0.1:1/v1/ingest", Token: token, Dialer: &websocket.Dialer{NetDialContext: v.doors.Dial}})
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(v.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	return c, func() { cancel(); <-ended }
}

// speak opens the stream of a call of the org.
func (v *town) speak(c *client.Client, call string) *client.Stream {
	s, err := c.Open(client.Open{Stream: call, VendorCallKey: call, Channels: map[string]client.Channel{"0": {SenderType: "END_USER"}}})
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// say says the call's next utterance, and remembers it.
func (v *town) say(h *home, s *client.Stream, call string) {
	v.mu.Lock()
	id := fmt.Sprintf("%s/%s/%d", h.name, call, len(h.want[call])+1)
	h.want[call] = append(h.want[call], id)
	v.mu.Unlock()
	now := time.Now().UnixMilli()
	if _, err := s.Send(v.t.Context(), client.Utterance{MessageID: id, Channel: "0", StartTime: now - 900, EndTime: now, Content: "for " + h.name}); err != nil {
		v.t.Errorf("send %s: %v", id, err)
	}
}

// settle waits until nothing of the org waits.
func (v *town) settle(h *home) {
	v.t.Helper()
	for begun := time.Now(); v.daemon.pipelineOf(h.name).spool.Account().Pending > 0; time.Sleep(time.Second) {
		if time.Since(begun) > time.Hour {
			v.t.Fatalf("org %s: %+v after an hour", h.name, v.daemon.pipelineOf(h.name).spool.Account())
		}
	}
}

// get asks the admin listener.
func (v *town) get(path string) (status int, body string) {
	c := v.admin.Client()
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://127.0.0.1" + path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// status is /status.json of an org.
func (v *town) status(org string) (s Status) {
	_, body := v.get("/status.json?org=" + org)
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		v.t.Fatalf("%s: %v", body, err)
	}
	return s
}

// reload puts the file in force and waits until it is.
func (v *town) reload(wait time.Duration) {
	v.daemon.Reload()
	time.Sleep(wait)
}
