package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/chromedp"

	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// rig is a daemon on real sockets with a simulated org and an engine, for a
// real browser to look at.
type rig struct {
	t      *testing.T
	org    *orgsim.Org
	vars   []string
	admin  string // host:port, the same over restarts
	doors  string
	engine *client.Client
	stop   func() // the daemon
}

func newRig(t *testing.T, cfg orgsim.Config, vars ...string) *rig {
	t.Helper()
	r := &rig{t: t, org: orgsim.New(cfg), admin: "127.0.0.1:0", doors: "127.0.0.1:0"}
	sim := httptest.NewServer(r.org)
	r.vars = append([]string{
		"STENO_SF_LOGIN_URL=" + sim.URL, "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush", "STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert",
		"STENO_SPOOL_DIR=" + daemon.InMemory, "STENO_DRAIN_TIMEOUT=100ms",
	}, vars...)
	r.start()
	t.Cleanup(func() {
		r.stop()
		sim.CloseClientConnections()
		sim.Close()
	})
	r.engine = r.connect()
	return r
}

// start starts a daemon at the rig's addresses.
func (r *rig) start() {
	r.t.Helper()
	s, err := daemon.ParseSettings(append([]string{"STENO_LISTEN=" + r.doors, "STENO_ADMIN_LISTEN=" + r.admin}, r.vars...))
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := daemon.New(r.t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := d.Listen(); err != nil {
		r.t.Fatal(err)
	}
	r.doors, r.admin = d.Addresses()
	ctx, drain := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx) // with the org down it cannot drain, and says so
	}()
	r.stop = func() { drain(); <-done }
}

// connect connects an engine, which goes on over restarts.
func (r *rig) connect() *client.Client {
	c, err := client.New(client.Config{URL: "ws://" + r.doors + "/v1/ingest"})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx)
	}()
	r.t.Cleanup(func() { cancel(); <-done })
	return c
}

func (r *rig) open(c *client.Client, call string) *client.Stream {
	s, err := c.Open(client.Open{
		Stream: call, VendorCallKey: call,
		Channels: map[string]client.Channel{"0": {SenderType: "END_USER"}, "1": {SenderType: "HUMAN_AGENT", ParticipantID: "005xx000001Sv6AAAS"}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// say says something whose speech ended so long ago by the engine's clock.
func (r *rig) say(s *client.Stream, text string, ago time.Duration) {
	r.t.Helper()
	end := time.Now().Add(-ago).UnixMilli()
	if _, err := s.Send(r.t.Context(), client.Utterance{Channel: "0", StartTime: end - 900, EndTime: end, Content: text}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) page() string { return "http://" + r.admin + "/" }

func (r *rig) get(path string) string {
	resp, err := http.Get("http://" + r.admin + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// status waits until /status.json is as wanted.
func (r *rig) status(want func(daemon.Status) bool) daemon.Status {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		var s daemon.Status
		if err := json.Unmarshal([]byte(r.get("/status.json")), &s); err == nil && want(s) {
			return s
		}
	}
	r.t.Fatalf("/status.json has not become as wanted: %.3000s", r.get("/status.json"))
	return daemon.Status{}
}

// browser is a real Chromium. Without one the test is skipped.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (Debian: apt-get install chromium): the page is not tested in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocated)
	t.Cleanup(func() { closeTab(); end() })
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1440, 900)); err != nil { // the first action's context ends the browser
		t.Fatalf("start chromium: %v", err)
	}
	return browser{t, ctx}
}

// patience is how long a browser may take over anything: one that hangs must not
// hang the tests.
const patience = time.Minute

func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("the browser: %v", err)
	}
}

// try is what an action gives, or why it gives nothing.
func try[T any](b browser, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// value is what an action gives.
func value[T any](b browser, action chromedp.Action[T]) T {
	b.t.Helper()
	v, err := try(b, action)
	if err != nil {
		b.t.Fatalf("the browser: %v", err)
	}
	return v
}

// look opens the page and waits until it lives.
func (b browser) look(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.until("window.stenoShown !== undefined")
}

// until waits until a JavaScript expression is true on the page, and returns how
// long that took.
func (b browser) until(expression string) time.Duration {
	b.t.Helper()
	check := chromedp.Evaluate[bool](fmt.Sprintf("(() => { try { return !!(%s) } catch { return false } })()", expression))
	begun, tick := time.Now(), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for time.Since(begun) < patience {
		if b.holds(check) {
			return time.Since(begun)
		}
		<-tick.C
	}
	b.t.Fatalf("the page has not shown %s:\n%s", expression, b.text("document.querySelector('main').innerText"))
	return 0
}

// holds says whether a check is true now. On a page that is just being left
// nothing is.
func (b browser) holds(check chromedp.Action[bool]) bool {
	b.t.Helper()
	is, err := try(b, check)
	if _, left := errors.AsType[*cdproto.Error](err); err != nil && !left {
		b.t.Fatalf("the browser: %v", err)
	}
	return err == nil && is
}

// text is what a JavaScript expression gives, without thin spaces.
func (b browser) text(expression string) string {
	b.t.Helper()
	return strings.ReplaceAll(value(b, chromedp.Evaluate[string]("String("+expression+")")), "\u202f", "")
}
