package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
)

// subprotocol is echoed to a client that offers it. One that offers none, or
// only others, is served all the same.
const subprotocol = "steno.v1"

// Guard decides who may come in. The tokens are kept as hashes: comparing
// those in constant time tells nothing, not even a length.
type Guard struct {
	tokens [][sha256.Size]byte // none: loopback only
	query  bool                // ?token= is looked at
	shared bool                // others are behind the same address
}

// NewGuard returns the guard of a server with that Config. Whoever has several
// servers behind one address asks their guards for whom a request is.
func NewGuard(cfg Config) Guard {
	g := Guard{query: cfg.QueryToken, shared: cfg.Shared}
	for _, token := range cfg.Tokens {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(token)))
	}
	return g
}

// refuse returns why a request is not let in: the metric's word, and a sentence
// for the client. Both are empty for one that is.
func (g Guard) refuse(r *http.Request) (status int, why, text string) {
	switch {
	case (len(g.tokens) > 0 || g.shared && len(g.offered(r)) > 0) && !g.Knows(r):
		return http.StatusUnauthorized, "unauthorized", "a valid token is needed"
	case len(g.tokens) > 0:
		// A browser page that knows a token may come from anywhere.
		return 0, "", ""
	case !fromHere(r):
		return http.StatusUnauthorized, "unauthorized", "no tokens are configured: only clients on the same machine are let in"
	case !sameOrigin(r):
		// Else any page in a browser on this machine could speak for its user.
		return http.StatusForbidden, "origin", "without tokens, pages of other origins are not let in"
	}
	return 0, "", ""
}

// Admits answers a request that may not come in as a Server does, and returns
// false.
func (g Guard) Admits(w http.ResponseWriter, r *http.Request) bool {
	status, _, text := g.refuse(r)
	if status == 0 {
		return true
	}
	writeRefusal(w, status, text)
	return false
}

// writeRefusal tells who is not let in that a token would help, where it would.
func writeRefusal(w http.ResponseWriter, status int, text string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="steno"`)
	}
	writeFault(w, status, &fault{codeUnauthorized, text})
}

// Knows looks for a known token in all places where clients put them. It never
// stops early.
func (g Guard) Knows(r *http.Request) bool {
	found := 0
	for _, offered := range g.offered(r) {
		hash := sha256.Sum256([]byte(offered))
		for _, token := range g.tokens {
			found |= subtle.ConstantTimeCompare(hash[:], token[:])
		}
	}
	return found == 1
}

func (g Guard) offered(r *http.Request) []string {
	var tokens []string
	add := func(token string) {
		if token != "" {
			tokens = append(tokens, token)
		}
	}
	for _, value := range r.Header.Values("Authorization") {
		scheme, rest, _ := strings.Cut(value, " ")
		switch rest = strings.TrimSpace(rest); strings.ToLower(scheme) {
		case "bearer", "token":
			add(rest)
		case "basic":
			if pair, err := base64.StdEncoding.DecodeString(rest); err == nil {
				_, password, _ := strings.Cut(string(pair), ":")
				add(password)
			}
		}
	}
	add(r.Header.Get("X-API-Key"))
	entries := websocket.Subprotocols(r)
	for i, entry := range entries {
		if token, ok := strings.CutPrefix(entry, "bearer."); ok {
			add(token)
		}
		if i > 0 && entries[i-1] == "token" {
			add(entry)
		}
	}
	if g.query {
		add(r.URL.Query().Get("token"))
	}
	return tokens
}

// Subprotocol picks the subprotocol to echo of those that a client of an engine's
// offers: steno.v1, or one that the engine's clients want to see; where the
// engine has none of its own the first, as there are clients that hang up when
// none of theirs is chosen. What may be a secret is never echoed.
func Subprotocol(offered, wanted []string) string {
	for i, entry := range offered {
		secret := i > 0 && offered[i-1] == "token" || len(entry) > 40 ||
			strings.HasPrefix(entry, "bearer.") || strings.Contains(strings.ToLower(entry), "key")
		switch {
		case entry == subprotocol, slices.Contains(wanted, entry):
			return entry
		case len(wanted) == 0 && !secret:
			return entry
		}
	}
	return ""
}

// fromHere is true for clients on this machine. A proxy on this machine speaks
// for clients elsewhere, and says so in a header.
func fromHere(r *http.Request) bool {
	if r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" {
		return false
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// sameOrigin is true for requests that no browser page of another host made.
// Browsers always send Origin with those.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
