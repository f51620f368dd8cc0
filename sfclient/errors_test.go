package sfclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/steno/sfclient"
)

// One line with all that is known, and bounded.
func TestErrorText(t *testing.T) {
	f := func(e sfclient.Error, want string) {
		t.Helper()
		if got := e.Error(); got != want {
			t.Errorf("Error of %+v =\n%s, want\n%s", e, got, want)
		}
	}
	f(sfclient.Error{Endpoint: "clearRouting", Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Messages: []string{"TotalRequests Limit exceeded."}},
		"clearRouting: status 403: REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.")
	f(sfclient.Error{Endpoint: "createBulkTranscriptMessages", VendorCallKey: "call\n1", Status: 409},
		`createBulkTranscriptMessages: call "call\n1": status 409`)
	f(sfclient.Error{Endpoint: "token", Messages: []string{"a", "b", "c", "d", "e"}}, "token: a; b; c; and 2 more")
	f(sfclient.Error{Endpoint: "token", Messages: []string{strings.Repeat("x", 999)}}, "token: "+strings.Repeat("x", 200))
}

// What is logged of a refusal quotes the org only where no transcript can be
// in its words.
func TestErrorInTheLog(t *testing.T) {
	f := func(e *sfclient.Error, want string) {
		t.Helper()
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "err", e)
		if _, got, _ := strings.Cut(strings.TrimSpace(log.String()), "msg=x "); got != want {
			t.Errorf("log of %v =\n%s, want\n%s", e, got, want)
		}
	}
	f(&sfclient.Error{Endpoint: "clearRouting", Status: 400, Messages: []string{"bad: Hello"}, Ambiguous: true, RetryAfter: time.Second},
		"err.endpoint=clearRouting err.verdict=split err.status=400 err.retry_after=1s err.ambiguous=true")
	f(&sfclient.Error{Endpoint: "clearRouting", Status: 403, Code: "FORBIDDEN", Messages: []string{"no\naccess"}},
		`err.endpoint=clearRouting err.verdict=hold err.status=403 err.code=FORBIDDEN err.message="no access"`)
}

// A time-out names its cause in the log.
func TestErrorInTheLogHasTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("draining"))
	err := direct(t, &org{}).Token(ctx)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "err", typed(t, err))
	if !strings.Contains(log.String(), `err.cause="context canceled: draining"`) {
		t.Errorf("log = %s, want the cause", log.String())
	}
}

// The codes that the reference's lists name without an HTTP status of their
// own, and those that other senders know.
func TestVerdictOfACode(t *testing.T) {
	f := func(status int, code, message string, want sfclient.Verdict) {
		t.Helper()
		e := &sfclient.Error{Endpoint: sfclient.EndpointCreateBulkTranscriptMessages, Status: status, Code: code, Messages: []string{message}}
		if got := e.Verdict(); got != want {
			t.Errorf("Verdict(%d %s %q) = %v, want %v", status, code, message, got, want)
		}
	}
	f(400, "UNABLE_TO_LOCK_ROW", "", sfclient.Retry)
	f(400, "SERVER_UNAVAILABLE", "", sfclient.Retry)
	f(400, "RESOURCE_EXHAUSTED", "paused", sfclient.Throttle)
	f(403, "LOGIN_RATE_EXCEEDED", "", sfclient.Park)
	f(403, "REQUEST_LIMIT_EXCEEDED", "", sfclient.Throttle)
	f(503, "REQUEST_LIMIT_EXCEEDED", "totalrequests", sfclient.Park)
	f(400, "SOMETHING_ELSE", "not found", sfclient.Split)
	f(400, "SOMETHING_ELSE", "Id(s)", sfclient.Split)
	f(429, "", "Transcription paused", sfclient.Throttle)
	f(403, "", "paused", sfclient.Hold)
	f(422, "", "", sfclient.Split)
	f(408, "", "", sfclient.Retry)
	f(100, "", "", sfclient.Retry)
	token := &sfclient.Error{Endpoint: sfclient.EndpointToken, Status: 400, Code: "temporarily_unavailable"}
	if got := token.Verdict(); got != sfclient.Retry {
		t.Errorf("Verdict(%v) = %v, want retry", token, got)
	}
}

// Wrapping keeps the *Error within reach.
func TestErrorIsFoundWhenWrapped(t *testing.T) {
	err := fmt.Errorf("send 3 utterances: %w", &sfclient.Error{Status: 429})
	if e, ok := errors.AsType[*sfclient.Error](err); !ok || e.Verdict() != sfclient.Throttle {
		t.Errorf("AsType(%v) = %v, %t; want the *Error, throttle", err, e, ok)
	}
}
