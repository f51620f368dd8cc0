package orgsim_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient/orgsim"
)

func (c *client) formRequest(form string) *http.Request {
	r := httptest.NewRequest("POST", "/services/oauth2/token", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// The feed shows each message as it is stored, and never makes the org wait.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, AnswerTime: orgsim.AnswerTime{Median: 70 * time.Millisecond}})
		events, stop := c.org.Watch(2)
		c.bulk("k m1 m2 m3 m4")
		if got := <-events; got.Call != "k" || got.MessageID != "m1" || got.LatencyMS != 70 || got.Content != "hello" || got.Missed != 0 {
			t.Errorf("got %+v, want m1 of k after 70 ms", got)
		}
		<-events
		c.bulk("k m5")
		if got := <-events; got.MessageID != "m5" || got.Missed != 2 {
			t.Errorf("got %+v, want m5, and 2 missed", got)
		}
		c.bulk("k m6")
		if got := <-events; got.MessageID != "m6" || got.Missed != 0 {
			t.Errorf("got %+v, want m6, and none missed since m5", got)
		}
		stop()
		stop()
		c.bulk("k m7")
		if len(events) != 0 {
			t.Error("an event came after stop")
		}
	})
}

func TestFeedOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true})
		hc, stop := c.online()
		defer stop()
		resp, err := hc.Get("http://org/orgsim/feed")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		lines := bufio.NewScanner(resp.Body)
		next := func() string {
			for lines.Scan() {
				if lines.Text() != "" {
					return lines.Text()
				}
			}
			t.Fatalf("feed ended: %v", lines.Err())
			return ""
		}
		if got := next(); got != ": listening" || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("got %q (%s), want : listening", got, resp.Header.Get("Content-Type"))
		}
		c.bulk("k m1")
		var shown orgsim.Shown
		data, ok := strings.CutPrefix(next(), "data: ")
		if err := json.Unmarshal([]byte(data), &shown); !ok || err != nil || shown.MessageID != "m1" || shown.Call != "k" {
			t.Errorf("got %s (%v), want m1 of k", data, err)
		}
		start := time.Now()
		if got := next(); got != ": quiet" || time.Since(start) != 15*time.Second {
			t.Errorf("got %q after %v, want : quiet after 15s", got, time.Since(start))
		}
	})
}

func TestViews(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	f := func(method, target, body string, status int, words ...string) {
		t.Helper()
		c.want(c.view(method, target, body), status, words...)
	}
	f("POST", "/orgsim/calls/a%2Fb/create", "", 204)
	c.want(c.bulk("a/b m1"), 200)
	for _, action := range []string{"hold", "unhold", "pause", "resume", "end"} {
		f("POST", "/orgsim/calls/a%2Fb/"+action, "", 204)
		call := c.org.Ledger().Calls["a/b"]
		if call.Held != (action == "hold") || call.Paused != (action == "pause") || call.Closed != (action == "end") {
			t.Errorf("after %s: %+v", action, call)
		}
	}
	f("POST", "/orgsim/calls/k/sing", "", 404, "want create, hold")
	f("GET", "/orgsim/ledger", "", 200, `"messageIds":["m1"]`, `"content":"hello"`, `"stored":1`)
	f("GET", "/orgsim/ledger?calls=false", "", 200, `"stored":1`, `"latency"`)
	if got := c.view("GET", "/orgsim/ledger?calls=false", ""); strings.Contains(got.body, "hello") {
		t.Errorf("totals have a transcript: %v", got)
	}
	f("POST", "/orgsim/plan?endpoint=createBulkTranscriptMessages", "500", 204)
	c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"a/b"}`), 200)
	c.want(c.bulk("a/b m2"), 500)
	f("POST", "/orgsim/plan", "sing", 400, "unknown")
	f("POST", "/orgsim/plan?endpoint=sing", "500", 400, "want one of")
	f("POST", "/orgsim/down", "sing", 400, "want silent or unavailable")
	f("POST", "/orgsim/down", "unavailable", 204)
	c.want(c.bulk("a/b m2"), 503)
	f("POST", "/orgsim/up", "", 204)
	f("POST", "/orgsim/expire-tokens", "", 204)
	c.want(c.bulk("a/b m2"), 401)
	f("GET", "/orgsim/up", "", 405)
	f("GET", "/orgsim/sing", "", 404)
}

// The views show transcripts: to loopback clients alone.
func TestViewsAreLocal(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	for addr, want := range map[string]int{"127.0.0.1:1": 200, "[::1]:1": 200, "192.0.2.7:1": 403, "nonsense": 403} {
		r := httptest.NewRequest("GET", "/orgsim/ledger", nil)
		r.RemoteAddr = addr
		rec := httptest.NewRecorder()
		if c.org.ServeHTTP(rec, r); rec.Code != want {
			t.Errorf("from %s: got %d, want %d", addr, rec.Code, want)
		}
	}
}
