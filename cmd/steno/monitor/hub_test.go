package monitor_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/bench/memnet"
	"example.com/steno/cmd/steno/monitor"
)

// hub runs test in a bubble with a running hub on a network in memory. made
// counts the snapshots.
func hub(t *testing.T, test func(c *http.Client, made *atomic.Int32)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32
		h := monitor.NewHub(
			func(_ context.Context, org string) []byte { made.Add(1); return []byte(`{"now":1` + org + `}`) },
			func(context.Context, string) []byte { return []byte(`{"hour":1}`) },
		)
		net := memnet.Listen()
		server := &http.Server{Handler: h}
		go server.Serve(net)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		c := net.Client()
		test(c, &made)
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		c.CloseIdleConnections()
		server.Close()
	})
}

func look(t *testing.T, c *http.Client) (events *bufio.Scanner, leave func()) {
	t.Helper()
	return lookAt(t, c, "")
}

func lookAt(t *testing.T, c *http.Client, org string) (events *bufio.Scanner, leave func()) {
	t.Helper()
	resp, err := c.Get("http://steno/?org=" + org)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %s, want a stream of events", resp.Status, got)
	}
	return bufio.NewScanner(resp.Body), func() { resp.Body.Close() }
}

// H1: a snapshot a second for all together, none for nobody, and the hour every
// ten seconds.
func TestHubMakesOneSnapshotForAll(t *testing.T) {
	hub(t, func(c *http.Client, made *atomic.Int32) {
		time.Sleep(time.Hour)
		if n := made.Load(); n != 0 {
			t.Errorf("H1: %d snapshots for nobody", n)
		}
		var leaves []func()
		for range 10 {
			events, leave := look(t, c)
			leaves = append(leaves, leave)
			go func() {
				for events.Scan() {
				}
			}()
		}
		events, leave := look(t, c)
		begun := made.Load()
		got := map[string]int{}
		for start := time.Now(); time.Since(start) < 20*time.Second && events.Scan(); {
			if name, ok := strings.CutPrefix(events.Text(), "event: "); ok {
				got[name]++
			}
		}
		if n := made.Load() - begun; n < 19 || n > 22 || got["now"] < 19 || got["hour"] < 2 || got["hour"] > 3 {
			t.Errorf("H1: %d snapshots in 20 s for 11 viewers, one of whom got %v", n, got)
		}
		for _, leave := range append(leaves, leave) {
			leave()
		}
		synctest.Wait()
		begun = made.Load()
		time.Sleep(time.Hour)
		if n := made.Load() - begun; n > 1 {
			t.Errorf("H1: %d snapshots after the last viewer has left", n)
		}
	})
}

// H1: a viewer gets the org that he looks at, and no other is shown.
func TestHubShowsOneOrg(t *testing.T) {
	hub(t, func(c *http.Client, made *atomic.Int32) {
		one, leaveOne := lookAt(t, c, "1")
		two, leaveTwo := lookAt(t, c, "2")
		go func() {
			for one.Scan() {
			}
		}()
		begun := made.Load()
		for start := time.Now(); time.Since(start) < 10*time.Second && two.Scan(); {
			if data, ok := strings.CutPrefix(two.Text(), "data: "); ok && data != `{"now":12}` && data != `{"hour":1}` {
				t.Errorf("who looks at 2 gets %s", data)
			}
		}
		if n := made.Load() - begun; n < 18 || n > 24 {
			t.Errorf("H1: %d snapshots in 10 s of two orgs", n)
		}
		leaveOne()
		leaveTwo()
	})
}

// H2, H3: a viewer who does not read holds up nobody, and there are not too many
// at once.
func TestHubBearsViewers(t *testing.T) {
	hub(t, func(c *http.Client, _ *atomic.Int32) {
		var leaves []func()
		for range 99 {
			_, leave := look(t, c) // and reads nothing
			leaves = append(leaves, leave)
		}
		events, leave := look(t, c)
		resp, err := c.Get("http://steno/")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("H3: the 101st viewer gets %s, want 503 and when to come back", resp.Status)
		}
		n := 0
		for start := time.Now(); time.Since(start) < 10*time.Second && events.Scan(); {
			if events.Text() == "event: now" {
				n++
			}
		}
		if n < 9 {
			t.Errorf("H2: %d snapshots in 10 s beside 99 viewers who do not read", n)
		}
		for _, leave := range append(leaves, leave) {
			leave()
		}
	})
}

// The page works offline and runs nothing but its own: nothing in it names
// another host, and the browser is told so too.
func TestPageIsItsOwn(t *testing.T) {
	m := monitor.New(monitor.Config{Metrics: metrics.NewSet(), Company: func() time.Duration { return 0 }})
	refused := errors.New("not for you")
	handler := monitor.Handler(func(string) *monitor.Monitor { return m }, monitor.NewHub(nil, nil), func(*http.Request) error { return refused })
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	w := get("/")
	if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("GET / answers %d with %v", w.Code, w.Header())
	}
	for _, asset := range regexp.MustCompile(`(?:src|href)="(/monitor/[^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if got := get(asset[1]); got.Code != http.StatusOK {
			t.Errorf("the page asks for %s, which answers %d", asset[1], got.Code)
		}
	}
	foreign := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}`)
	err := fs.WalkDir(os.DirFS("page"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, "uplot") {
			return err
		}
		f, err := os.Open("page/" + path)
		if err != nil {
			return err
		}
		defer f.Close()
		content, err := io.ReadAll(f)
		if found := foreign.Find(content); found != nil {
			t.Errorf("page/%s names another host: %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/monitor/events", "/monitor/calls?q=", "/monitor/call?key=a"} {
		if got := get(path); got.Code != http.StatusForbidden {
			t.Errorf("GET %s answers %d though the guard refuses", path, got.Code)
		}
	}
}
