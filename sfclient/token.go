package sfclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	tokenPath = "/services/oauth2/token"

	// Token requests are logins, which Salesforce counts: 3,600 an hour and
	// user; two in this time stay below half of that.
	minTokenSpacing = 5 * time.Second
	maxTokenSpacing = 60 * time.Second
)

// token is what a login gave.
type token struct {
	value      string
	base       string // the org's checked instance_url
	generation uint64 // from 1; each login that succeeds gives the next
}

// tokens holds the one token that all requests share.
//
//	T1  at most one login is under way; whoever needs its token waits for it
//	T2  a token that was refused is not given out again
//	T3  while tokens work, at most two logins start within 5s: a token may be
//	    renewed at once, its successor not. In trouble, a login starts no
//	    sooner than 5s after the last one ended, doubled for each further
//	    trouble since a token last worked, up to 60s
//	T4  who would have to wait for T3 gets the last error at once instead
//
// A token has no expiry (Salesforce's answer has no expires_in): it is good
// until a request is refused for it.
type tokens struct {
	fetch func(context.Context) (token, *Error)
	log   *slog.Logger

	mu         sync.Mutex // guards all below; held for no wait
	current    token      // value is empty: there is none, or it was refused
	generation uint64     // of the last login that succeeded
	login      *flight    // nil: none under way
	troubles   int        // failed logins and refused new tokens since a token last worked
	ended      time.Time  // when the last login ended
	notBefore  time.Time  // T3
	last       *Error     // why there is no token; nil: there is, or nobody has asked
}

// flight is one login under way. token and err are set before done is closed.
type flight struct {
	done  chan struct{}
	token token
	err   *Error
}

// get returns the token in force, logging in where there is none.
func (t *tokens) get(ctx context.Context) (token, *Error) {
	if ctx.Err() != nil {
		return token{}, &Error{Endpoint: EndpointToken, cause: causeOf(ctx)}
	}
	t.mu.Lock()
	if t.current.value != "" {
		defer t.mu.Unlock()
		return t.current, nil
	}
	if t.login == nil {
		if wait := time.Until(t.notBefore); wait > 0 {
			defer t.mu.Unlock()
			return token{}, t.last.after(wait)
		}
		// The login belongs to all who wait for it, and outlives the one
		// who happened to start it. It ends by itself within the time-out.
		t.login = &flight{done: make(chan struct{})}
		go t.run(t.login)
	}
	f := t.login
	t.mu.Unlock()

	select {
	case <-f.done:
		if f.err != nil {
			return token{}, f.err.after(f.err.RetryAfter)
		}
		return f.token, nil
	case <-ctx.Done():
		return token{}, &Error{Endpoint: EndpointToken, cause: causeOf(ctx)}
	}
}

// run makes the login f and records its outcome. It runs on no caller's
// context: fetch bounds its own time.
func (t *tokens) run(f *flight) {
	got, e := t.fetch(context.Background())

	t.mu.Lock()
	defer t.mu.Unlock()
	if e == nil {
		t.generation++
		got.generation = t.generation
		t.current = got
		t.last = nil
		t.space()
		t.log.Info("token fetched", "generation", got.generation, "instance_url", got.base)
	} else {
		t.troubles++
		t.last = e
		t.space()
		e.RetryAfter = time.Until(t.notBefore)
		t.log.Warn("token request refused", "err", e, "troubles", t.troubles)
	}
	f.token, f.err = got, e
	t.login = nil
	close(f.done)
}

// space sets the earliest time of the next login, when one has just ended. It
// needs mu.
func (t *tokens) space() {
	now := time.Now()
	from, spacing := now, minTokenSpacing<<min(max(t.troubles-1, 0), 4)
	if t.troubles == 0 {
		from = t.ended // The login before this one.
	}
	if t.last != nil {
		spacing = max(spacing, t.last.RetryAfter)
	}
	t.ended, t.notBefore = now, from.Add(min(spacing, maxTokenSpacing))
}

// renew returns a token newer than the refused one. Many requests may be
// refused at once for the same token; the first of them takes it out of force.
func (t *tokens) renew(ctx context.Context, refused token, refusal *Error) (token, *Error) {
	t.mu.Lock()
	if t.current.generation == refused.generation {
		t.current = token{}
		t.last = refusal
		t.log.Info("token expired", "generation", refused.generation)
	}
	t.mu.Unlock()
	return t.get(ctx)
}

// refusedAgain records that a request was refused twice in a row, the second
// time with a new token, and returns the error that says so.
func (t *tokens) refusedAgain(refused token, refusal *Error) *Error {
	e := *refusal
	e.verdict = Hold
	e.cause = errors.New("refused again with a new token: wrong host, or the certificate behind certDevName is not accepted")

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.generation == refused.generation {
		t.current = token{}
		t.troubles++
		t.last = &e
		t.space()
		t.log.Error("new token refused too", "err", &e, "generation", refused.generation)
	}
	e.RetryAfter = max(time.Until(t.notBefore), 0)
	return &e
}

// worked records that Salesforce has taken the token.
func (t *tokens) worked(used token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if used.generation == t.current.generation {
		t.troubles = 0
	}
}

// login asks for a token by client_credentials.
type login struct {
	client     *Client
	url        string
	id, secret string
}

// fetch makes one token request. The body must be form-encoded: Salesforce
// answers everything else with unsupported_grant_type.
func (l login) fetch(ctx context.Context) (token, *Error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {l.id}, "client_secret": {l.secret}}
	rep, e := l.client.post(ctx, post{
		endpoint:    EndpointToken,
		url:         l.url,
		contentType: "application/x-www-form-urlencoded",
		body:        []byte(form.Encode()),
	})
	if e != nil {
		// A login stores nothing, so nobody needs to know whether it arrived.
		e.Ambiguous = false
		return token{}, e
	}
	got, err := readToken(rep)
	if err != nil {
		return token{}, err
	}
	return got, nil
}

// readToken judges the answer to a token request.
func readToken(rep reply) (token, *Error) {
	if rep.status/100 != 2 || rep.cut != nil {
		e := refusal(request{endpoint: EndpointToken}, rep, read(rep.body))
		e.Ambiguous = false
		return token{}, e
	}
	unread := &Error{Endpoint: EndpointToken, Status: rep.status, Written: rep.written, foreign: true}
	var grant struct {
		AccessToken string `json:"access_token"`
		InstanceURL string `json:"instance_url"`
	}
	if err := json.Unmarshal(rep.body, &grant); err != nil {
		// The body is not quoted: it may hold a token.
		unread.cause = errors.New("the answer is not the JSON of a token")
		return token{}, unread
	}
	if !isHeaderValue(grant.AccessToken) {
		unread.cause = errors.New("the answer has no access_token that fits in a header")
		return token{}, unread
	}
	base, err := orgBase(grant.InstanceURL)
	if err != nil {
		return token{}, &Error{
			Endpoint: EndpointToken, Status: rep.status, Written: rep.written, verdict: Hold,
			cause: fmt.Errorf("instance_url in the answer: %w", err),
		}
	}
	return token{value: grant.AccessToken, base: base}, nil
}

// isHeaderValue reports whether a token may stand in a header: anything else
// could smuggle a second one in.
func isHeaderValue(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
