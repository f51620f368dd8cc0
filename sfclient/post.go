package sfclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"
)

const (
	// maxAnswer bounds what is read of an answer, in bytes. A real one has
	// some sixty, and one with 25 refusals a few thousand.
	maxAnswer = 1 << 20

	// maxRetryAfter bounds what is believed of a Retry-After.
	maxRetryAfter = 24 * time.Hour
)

// post is one HTTP POST.
type post struct {
	endpoint      string // for errors
	url           string
	contentType   string
	authorization string // empty: none
	body          []byte
}

// reply is an answer that has come, at least its head.
type reply struct {
	status   int
	header   http.Header
	body     []byte
	written  time.Time // when the request's body had been written
	answered time.Time
	cut      error // why the body ended before its end; nil: it is whole
}

// post makes one attempt. An error means that no answer came.
//
// The body is a bytes.Reader, so net/http knows its length and can rewind it.
// It uses that for one thing only: a POST that found its reused connection dead
// before the first byte was written is sent on another. All else comes back
// here, because a POST is not idempotent; do not add an Idempotency-Key header,
// which would make net/http repeat what may have been stored. The body belongs
// to the transport even after an answer, so it is never pooled.
func (c *Client) post(ctx context.Context, p post) (reply, *Error) {
	if ctx.Err() != nil {
		return reply{}, &Error{Endpoint: p.endpoint, cause: causeOf(ctx)}
	}
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	w := &watch{}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(attempt, w.trace()), http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return reply{}, &Error{Endpoint: p.endpoint, cause: err}
	}
	req.Header.Set("Content-Type", p.contentType)
	req.Header.Set("Accept", "application/json")
	if p.authorization != "" {
		req.Header.Set("Authorization", p.authorization)
	}
	if traceparent := traceOf(ctx); traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		ambiguous, written := w.outcome()
		return reply{}, &Error{Endpoint: p.endpoint, Ambiguous: ambiguous, Written: written, cause: c.explain(ctx, attempt, err)}
	}
	defer resp.Body.Close()
	// Reading to the end is what lets the connection be used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		err = c.explain(ctx, attempt, err)
	}
	_, written := w.outcome()
	return reply{
		status: resp.StatusCode, header: resp.Header, body: body,
		written: written, answered: time.Now(), cut: err,
	}, nil
}

// explain says why an attempt ended without a whole answer: the caller's
// context, our own time-out, or the network.
func (c *Client) explain(caller, attempt context.Context, err error) error {
	switch {
	case caller.Err() != nil:
		return causeOf(caller)
	case attempt.Err() != nil:
		return fmt.Errorf("no answer within %v: %w", c.timeout, context.DeadlineExceeded)
	}
	return err
}

// causeOf is why ctx ended. It is always ctx.Err() too, to errors.Is.
func causeOf(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// watch sees how far a request got. net/http calls it from its own goroutines.
type watch struct {
	mu      sync.Mutex
	asked   bool      // a connection was asked for: the transport reports to us
	began   bool      // the head was written to the connection's buffer, so the body may follow any moment
	written time.Time // zero: the body has not been written
}

// trace returns the hooks. Asking for a connection begins anew: net/http does so
// a second time only after nothing at all was written the first time.
func (w *watch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked, w.began, w.written = true, false, time.Time{}
		},
		WroteHeaders: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.began = true
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if info.Err == nil {
				w.written = time.Now()
			}
		},
	}
}

// outcome reports whether a part of the body may have gone out, and when all of
// it had. A transport that reports nothing leaves us to assume the worst.
func (w *watch) outcome() (ambiguous bool, written time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.began || !w.asked, w.written
}

// retryAfter reads a Retry-After, in seconds or as an HTTP date; zero where
// there is none that makes sense. No header of this kind is documented for
// Salesforce's core API; it is honoured if seen.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		seconds = min(max(seconds, 0), int64(maxRetryAfter/time.Second))
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
