package ingest_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/steno/ingest"
)

// Protocol: "Auth on every door: `Authorization: Bearer <token>` (also `Token`,
// Basic with the token as password, `X-API-Key`, or a `bearer.<token>` entry in
// the subprotocol list, never echoed). 401 before the upgrade."
func TestTokens(t *testing.T) {
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	run(t, ingest.Config{Tokens: []string{"s3cret", "other"}}, func(r *rig) {
		in := func(headers ...string) {
			t.Helper()
			c, response, err := r.tryDial("/v1/ingest", headers...)
			if err != nil {
				t.Errorf("%v: %v", headers, err)
				return
			}
			if echoed := response.Header.Get("Sec-WebSocket-Protocol"); strings.Contains(echoed, "bearer") {
				t.Errorf("%v: %q was echoed", headers, echoed)
			}
			c.send(open("a", "k"))
			c.epoch()
			c.ws.Close()
		}
		in("Authorization", "Bearer s3cret")
		in("Authorization", "bearer other")
		in("Authorization", "Token s3cret")
		in("Authorization", basic("anyone:s3cret"))
		in("X-API-Key", "s3cret")
		in("Sec-WebSocket-Protocol", "steno.v1, bearer.s3cret")
		in("Sec-WebSocket-Protocol", "bearer.s3cret")
		in("Authorization", "Bearer wrong", "X-API-Key", "s3cret")
		in("X-API-Key", "s3cret", "Origin", "https://elsewhere.example") // whoever has a token may come from anywhere

		out := func(path string, headers ...string) {
			t.Helper()
			_, response, err := r.tryDial(path, headers...)
			if err == nil || response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") != `Bearer realm="steno"` {
				t.Errorf("%s %v: %v, %+v, want 401 with WWW-Authenticate", path, headers, err, response)
			}
		}
		const door = "/v1/ingest"
		out(door)
		out(door, "Authorization", "Bearer")
		out(door, "Authorization", "Bearer s3cre")
		out(door, "Authorization", "Digest s3cret")
		out(door, "Authorization", basic("s3cret:"))
		out(door, "Authorization", "Basic !")
		out(door, "X-API-Key", "")
		out(door, "Sec-WebSocket-Protocol", "steno.v1, s3cret")
		out(door + "?token=s3cret") // "only where switched on"
		r.wantMetric(`steno_ingest_connections_refused_total{why="unauthorized"}`, "9")
	})
}

// Protocol: "`?token=` only where switched on".
func TestQueryToken(t *testing.T) {
	run(t, ingest.Config{Tokens: []string{"s3cret"}, QueryToken: true}, func(r *rig) {
		if _, _, err := r.tryDial("/v1/ingest?token=s3cret"); err != nil {
			t.Error(err)
		}
		if _, _, err := r.tryDial("/v1/ingest?token=wrong"); err == nil {
			t.Error("?token=wrong was let in")
		}
	})
}

// Protocol: "Offer the subprotocol `steno.v1`; a client that offers none is
// served the same." So is one that offers only others.
func TestSubprotocol(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		for offered, want := range map[string]string{"": "", "steno.v1": "steno.v1", "v2, steno.v1": "steno.v1", "steno.v9": ""} {
			var headers []string
			if offered != "" {
				headers = []string{"Sec-WebSocket-Protocol", offered}
			}
			c, response, err := r.tryDial("/v1/ingest", headers...)
			if err != nil {
				t.Errorf("offered %q: %v", offered, err)
				continue
			}
			if got := response.Header.Get("Sec-WebSocket-Protocol"); got != want {
				t.Errorf("offered %q, got %q, want %q", offered, got, want)
			}
			c.send(open("a", offered+"k"))
			c.epoch()
		}
	})
}

// Protocol: STENO_INGEST_TOKENS "none: only loopback clients are let in". A
// proxy on this machine is not a client on it, and a page of another origin is
// not this machine's user.
func TestWithoutTokens(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		ask := func(want int, remote string, headers ...string) {
			t.Helper()
			q := httptest.NewRequest("POST", "http://steno/v1/calls/k/utterances", strings.NewReader("[]"))
			q.RemoteAddr = remote
			for i := 0; i < len(headers); i += 2 {
				q.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			r.server.Handler().ServeHTTP(w, q)
			if w.Code != want {
				body, _ := io.ReadAll(w.Body)
				t.Errorf("from %s with %v: %d %s, want %d", remote, headers, w.Code, body, want)
			}
		}
		ask(202, "127.0.0.1:9")
		ask(202, "127.8.9.1:9")
		ask(202, "[::1]:9")
		ask(202, "[::ffff:127.0.0.1]:9")
		ask(202, "127.0.0.1:9", "Origin", "http://steno")
		ask(401, "192.0.2.1:9")
		ask(401, "[2001:db8::1]:9")
		ask(401, "@")
		ask(401, "127.0.0.1:9", "X-Forwarded-For", "192.0.2.1")
		ask(401, "127.0.0.1:9", "Forwarded", "for=192.0.2.1")
		ask(403, "127.0.0.1:9", "Origin", "https://elsewhere.example")
		ask(403, "127.0.0.1:9", "Origin", "null")
		if _, response, err := r.tryDial("/v1/ingest", "Origin", "https://elsewhere.example"); err == nil || response.StatusCode != 403 {
			t.Errorf("a WebSocket of another origin got %+v, want 403", response)
		}
		r.wantMetric(`steno_ingest_connections_refused_total{why="origin"}`, "3")
	})
}

// An empty token in the settings opens nothing.
func TestEmptyToken(t *testing.T) {
	run(t, ingest.Config{Tokens: []string{""}, QueryToken: true}, func(r *rig) {
		for _, headers := range [][]string{nil, {"Authorization", "Bearer "}, {"X-API-Key", ""}, {"Sec-WebSocket-Protocol", "bearer."}} {
			if _, _, err := r.tryDial("/v1/ingest?token=", headers...); err == nil {
				t.Errorf("%v was let in", headers)
			}
		}
	})
}

// What is no WebSocket handshake is told so.
func TestNoHandshake(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		client := r.net.Client()
		defer client.CloseIdleConnections()
		response, err := client.Get("http://steno/v1/ingest")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != 400 || !strings.Contains(string(body), `"code":"invalid"`) {
			t.Errorf("got %d %s, want 400 and the reason", response.StatusCode, body)
		}
		r.wantMetric(`steno_ingest_connections_refused_total{why="handshake"}`, "1")
	})
}

// Behind a shared address a token that is not this server's was meant for
// another: it opens nothing, also where no token is needed.
func TestSharedAddress(t *testing.T) {
	guest := func(headers ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/v1/ingest?token=query", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	guard := ingest.NewGuard(ingest.Config{Tokens: []string{"ours"}})
	f := func(want bool, headers ...string) {
		t.Helper()
		if got := guard.Knows(guest(headers...)); got != want {
			t.Errorf("%v: Knows = %v, want %v", headers, got, want)
		}
	}
	f(true, "Authorization", "Bearer ours")
	f(false, "Authorization", "Bearer theirs")
	f(false, "X-API-Key", "query")
	f(false)
	if ingest.NewGuard(ingest.Config{}).Knows(guest("Authorization", "Bearer ")) {
		t.Error("a guard without tokens knows one")
	}
	run(t, ingest.Config{Shared: true}, func(r *rig) {
		if _, response, err := r.tryDial("/v1/ingest", "Authorization", "Bearer theirs"); err == nil || response.StatusCode != http.StatusUnauthorized {
			t.Errorf("a token of another server: %v, want 401", err)
		}
		c, _, err := r.tryDial("/v1/ingest") // from this machine, and shows none
		if err != nil {
			t.Fatal(err)
		}
		c.ws.Close()
	})
}
