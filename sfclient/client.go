package sfclient

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// The endpoints as Error.Endpoint names them: a closed set, fit for a metric's
// label.
const (
	EndpointToken                        = "token"
	EndpointLimits                       = "limits"
	EndpointCreateVoiceCall              = "createVoiceCall"
	EndpointUpdateVoiceCall              = "updateVoiceCall"
	EndpointExecuteOmniFlow              = "executeOmniFlow"
	EndpointClearRouting                 = "clearRouting"
	EndpointCreateTranscriptMessage      = "createTranscriptMessage"
	EndpointCreateBulkTranscriptMessages = "createBulkTranscriptMessages"
)

// basePath is where the wrapper's package (namespace cnxscv) has its endpoints,
// all of which take POST.
const basePath = "/services/apexrest/cnxscv/voice/v1/"

// Client talks to one org. Its methods may be called from many goroutines at
// once. Every error that they return is an *Error.
type Client struct {
	// transport is asked directly, without an http.Client around it: that would
	// follow redirects, which take the bearer token, or the secret, to a host that
	// nobody has checked. Here the 3xx itself is the answer.
	transport http.RoundTripper
	timeout   time.Duration
	log       *slog.Logger
	names     []byte // the beginning of every body: callCenterDevName and certDevName
	tokens    *tokens
	limit     limitBox
	yes       yes
}

// New checks the config, every fault at once, and dials nothing.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("sfclient config: %w", err)
	}
	base, _ := orgBase(cfg.LoginURL) // check has seen it.
	c := &Client{
		transport: cfg.Transport,
		timeout:   cfg.Timeout,
		log:       cfg.Logger,
		names:     appendNames(nil, cfg.CallCenter, cfg.Cert),
	}
	if c.transport == nil {
		c.transport = newTransport(cfg.MaxInFlight)
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	login := login{client: c, url: base + tokenPath, id: cfg.ClientID, secret: cfg.ClientSecret}
	c.tokens = &tokens{fetch: login.fetch, log: c.log}
	return c, nil
}

// Token makes sure that there is a token, fetching one where there is none. It
// is what a readiness check wants: nil means that Salesforce has let us in, and
// has not taken that back since.
func (c *Client) Token(ctx context.Context) error {
	if _, e := c.tokens.get(ctx); e != nil {
		return e
	}
	return nil
}

// Limit returns the org's daily API usage as last heard; false: never yet.
// Whether the wrapper's answers carry it is the org's business; FetchLimit asks
// for it.
func (c *Client) Limit() (LimitInfo, bool) {
	return c.limit.newest()
}

// CloseIdleConnections closes the connections that no request is using. Call
// it when done with the Client.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// request is one body for one endpoint, and what of it an answer is judged by.
type request struct {
	endpoint string
	body     []byte
	entries  []RawEntry // the transcript messages in it; nil for the other endpoints
}

// isTranscript tells the two transcript endpoints from those about a call.
func (r request) isTranscript() bool { return r.entries != nil }

// send makes one attempt, and one more with a new token if the first was
// refused for the token's sake. A refusal of the new token too is not the
// token's fault: the wrong host, or the certificate that the wrapper itself
// signs in with. That is an alarm, never a loop.
func (c *Client) send(ctx context.Context, r request) (*accepted, *Error) {
	token, e := c.tokens.get(ctx)
	if e != nil {
		return nil, e
	}
	ok, e := c.attempt(ctx, token, r)
	if e.Verdict() != Renew {
		return ok, e
	}
	written := e.Written
	token, e = c.tokens.renew(ctx, token, e)
	if e != nil {
		e.Written = written // renew's errors are the caller's own copies.
		return nil, e
	}
	ok, e = c.attempt(ctx, token, r)
	if e.Verdict() == Renew {
		e = c.tokens.refusedAgain(token, e)
	}
	return ok, e
}

// attempt posts the request once and judges the answer.
func (c *Client) attempt(ctx context.Context, t token, r request) (*accepted, *Error) {
	p := post{
		endpoint:      r.endpoint,
		url:           t.base + basePath + r.endpoint,
		contentType:   "application/json",
		authorization: "Bearer " + t.value,
		body:          r.body,
	}
	rep, e := c.post(ctx, p)
	if e != nil {
		return nil, e
	}
	limit, _ := parseLimitInfo(rep.header.Get("Sforce-Limit-Info"), rep.answered)
	c.limit.put(limit)
	verdict := judge
	if r.isTranscript() {
		verdict = c.yes.judge
	}
	ok, e := verdict(r, rep)
	if e.Verdict() != Renew {
		c.tokens.worked(t)
	}
	if ok != nil {
		ok.answer.Limit = limit
	}
	return ok, e
}
