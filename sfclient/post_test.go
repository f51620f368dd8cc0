package sfclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient"
)

// hang answers nothing until the client has gone.
func hang(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }

// cut ends the connection without an answer, after the body was read.
func cut(http.ResponseWriter, *http.Request, int) { panic(http.ErrAbortHandler) }

// halfAnswer promises more than it says, and ends the connection.
func halfAnswer(status int, body string) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(status)
		io.WriteString(w, body)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func TestTroubleOfTheNetwork(t *testing.T) {
	for _, row := range []struct {
		name      string
		answer    func(http.ResponseWriter, *http.Request, int)
		status    int
		verdict   sfclient.Verdict
		ambiguous bool
		took      time.Duration
	}{
		{"no answer", hang, 0, sfclient.Retry, true, 30 * time.Second},
		{"connection cut before the answer", cut, 0, sfclient.Retry, true, 0},
		{"connection cut within an acceptance", halfAnswer(200, accepted), 200, sfclient.Retry, true, 0},
		{"connection cut within a refusal", halfAnswer(429, `{"mess`), 429, sfclient.Throttle, false, 0},
		{"502 from the edge", say(502, ""), 502, sfclient.Retry, true, 0},
		{"504 from the edge", say(504, ""), 504, sfclient.Retry, true, 0},
		{"503", say(503, ""), 503, sfclient.Retry, false, 0},
		{"an endless answer", endless, 200, sfclient.Retry, true, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := connected(t, &org{answer: row.answer})
				start := time.Now()
				_, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2)})
				e := typed(t, err)
				if e.Status != row.status || e.Verdict() != row.verdict || e.Ambiguous != row.ambiguous {
					t.Errorf("%v: status %d, verdict %v, ambiguous %t; want %d, %v, %t", e, e.Status, e.Verdict(), e.Ambiguous, row.status, row.verdict, row.ambiguous)
				}
				if took := time.Since(start); took != row.took {
					t.Errorf("took %v, want %v", took, row.took)
				}
				if !e.Written.Equal(start) {
					t.Errorf("Written = %v, want %v", e.Written, start)
				}
			})
		})
	}
}

// endless is an answer that means yes after 2 MiB, of which 1 MiB is read.
func endless(w http.ResponseWriter, _ *http.Request, _ int) {
	io.WriteString(w, strings.Repeat(" ", 2<<20)+accepted)
}

// A time-out says so, and is the network's kind of error too.
func TestTimeoutIsADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := connected(t, &org{answer: hang}).ClearRouting(t.Context(), "call-1")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 30s") {
			t.Errorf("ClearRouting = %v, want a deadline of 30s", err)
		}
	})
}

// Nothing can have arrived where no connection was made.
func TestDialErrorIsNotAmbiguous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := errors.New("connection refused")
		o := &org{}
		client, network := connectedVia(t, o)
		if err := client.Token(t.Context()); err != nil {
			t.Fatalf("Token = %v", err)
		}
		client.CloseIdleConnections()
		network.Close()
		_, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
		if e := typed(t, err); e.Ambiguous || e.Verdict() != sfclient.Retry || !e.Written.IsZero() || !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial error = %v: ambiguous %t, verdict %v, written %v; want not, retry, never", e, e.Ambiguous, e.Verdict(), e.Written)
		}

		failing := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refuse }}
		err = newClient(t, config(failing)).Token(t.Context())
		if e := typed(t, err); e.Ambiguous || !errors.Is(err, refuse) || e.Endpoint != sfclient.EndpointToken {
			t.Errorf("login's dial error = %v, ambiguous %t; want %v, not ambiguous", e, e.Ambiguous, refuse)
		}
	})
}

// A peer that takes no byte: writing had begun, so a part may have arrived.
func TestStuckWriteIsAmbiguous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{}
		client, network := connectedVia(t, o)
		if err := client.Token(t.Context()); err != nil {
			t.Fatalf("Token = %v", err)
		}
		client.CloseIdleConnections()
		network.Close()
		stuck := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { theirs.Close() })
			return ours, nil
		}}
		cfg := config(switchOn{path: "/services/oauth2/token", on: handed{o}, off: stuck})
		cfg.Timeout = 7 * time.Second
		start := time.Now()
		big := `{"content":"` + strings.Repeat("x", 64<<10) + `"}`
		_, err := newClient(t, cfg).SendMessage(t.Context(), "call-1", []byte(big))
		if e := typed(t, err); !e.Ambiguous || !e.Written.IsZero() || time.Since(start) != 7*time.Second {
			t.Errorf("stuck write = %v: ambiguous %t, written %v, after %v; want ambiguous, never, 7s", e, e.Ambiguous, e.Written, time.Since(start))
		}
	})
}

// switchOn sends one path's requests to another transport.
type switchOn struct {
	path    string
	on, off http.RoundTripper
}

func (s switchOn) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == s.path {
		return s.on.RoundTrip(r)
	}
	return s.off.RoundTrip(r)
}

// A reused connection that takes not one byte is replaced by net/http; if that
// needs a dial, and it fails, nothing has gone out.
func TestDeadReusedConnectionIsNotAmbiguous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := errors.New("connection refused")
		_, network := connectedVia(t, &org{})
		var first *mortal
		transport := &http.Transport{DialContext: func(ctx context.Context, kind, address string) (net.Conn, error) {
			if first != nil {
				return nil, refuse
			}
			conn, err := network.Dial(ctx, kind, address)
			first = &mortal{Conn: conn}
			return first, err
		}}
		client := newClient(t, config(transport))
		t.Cleanup(client.CloseIdleConnections)
		if err := client.Token(t.Context()); err != nil {
			t.Fatalf("Token = %v", err)
		}
		synctest.Wait()
		first.dead.Store(true)
		_, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
		if e := typed(t, err); !errors.Is(err, refuse) || e.Ambiguous || !e.Written.IsZero() {
			t.Errorf("SendMessage = %v, ambiguous %t, written %v; want %v, not ambiguous, never", e, e.Ambiguous, e.Written, refuse)
		}
	})
}

// mortal is a connection whose writes fail once it is dead.
type mortal struct {
	net.Conn
	dead atomic.Bool
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return 0, net.ErrClosed
	}
	return m.Conn.Write(p)
}

// The caller's own end of patience: its cause comes back, and what is known of
// the request with it.
func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connected(t, &org{answer: hang})
		draining := errors.New("draining")
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		time.AfterFunc(3*time.Second, func() { cancel(draining) })
		_, err := client.SendMessage(ctx, "call-1", []byte(`{"a":1}`))
		e := typed(t, err)
		if !errors.Is(err, draining) || !errors.Is(err, context.Canceled) || e.Verdict() != sfclient.Retry {
			t.Errorf("SendMessage = %v, verdict %v; want draining, canceled, retry", e, e.Verdict())
		}
		if !e.Ambiguous || !e.Written.Equal(start) || time.Since(start) != 3*time.Second {
			t.Errorf("ambiguous %t, written %v, after %v; want ambiguous, written at once, 3s", e.Ambiguous, e.Written, time.Since(start))
		}
		_, err = client.SendMessage(ctx, "call-1", []byte(`{"a":1}`))
		if e := typed(t, err); e.Ambiguous || !errors.Is(err, draining) {
			t.Errorf("with a done context: %v, ambiguous %t; want draining, not ambiguous", e, e.Ambiguous)
		}
	})
}

// A transport of the caller's that reports nothing is not trusted to have sent
// nothing.
func TestUntracedTransportIsAmbiguous(t *testing.T) {
	o := &org{}
	broken := roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	client := newClient(t, config(switchOn{path: "/services/oauth2/token", on: handed{o}, off: broken}))
	_, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
	if e := typed(t, err); !e.Ambiguous || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("SendMessage = %v, ambiguous %t; want unexpected EOF, ambiguous", e, e.Ambiguous)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryAfterOfARequest(t *testing.T) {
	f := func(header func(now time.Time) string, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			value := header(time.Now())
			o := &org{answer: say(429, "", "Retry-After", value)}
			_, err := connected(t, o).ClearRouting(t.Context(), "call-1")
			if got := typed(t, err).RetryAfter; got != want {
				t.Errorf("Retry-After %q = %v, want %v", value, got, want)
			}
		})
	}
	text := func(s string) func(time.Time) string { return func(time.Time) string { return s } }
	in := func(d time.Duration) func(time.Time) string {
		return func(now time.Time) string { return now.Add(d).UTC().Format(http.TimeFormat) }
	}
	f(text("17"), 17*time.Second)
	f(text("0"), 0)
	f(text("-5"), 0)
	f(text("soon"), 0)
	f(text("9999999999999"), 24*time.Hour)
	f(in(90*time.Second), 90*time.Second)
	f(in(-90*time.Second), 0)
	f(in(1000*time.Hour), 24*time.Hour)
}

// Requests one after another share a connection, whatever the answers are.
func TestConnectionIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: inOrder(say(200, accepted), say(500, "<html>"), say(429, ""), say(207, entry(409, "")), say(200, accepted))}
		client, network := connectedVia(t, o)
		if err := client.Token(t.Context()); err != nil {
			t.Fatalf("Token = %v", err)
		}
		network.Close() // No further dial succeeds.
		for i := range 6 {
			_, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)})
			if errors.Is(err, net.ErrClosed) {
				t.Fatalf("request %d dialled again: %v", i+1, err)
			}
		}
	})
}

// A connection that died while idle costs a lost request at most an honest
// error, never a silent second sending.
func TestPostIsNeverRepeatedByTheTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: inOrder(say(200, accepted), cut, say(200, accepted))}
		client := connected(t, o)
		send := func() error {
			_, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)})
			return err
		}
		if err := send(); err != nil {
			t.Fatalf("first SendBulk = %v", err)
		}
		e := typed(t, send())
		if _, posts := o.counts(); !e.Ambiguous || posts != 2 {
			t.Errorf("SendBulk on a connection that is cut = %v, ambiguous %t, %d posts; want ambiguous, 2 posts", e, e.Ambiguous, posts)
		}
	})
}

// The client's own transport talks over real sockets too.
func TestOwnTransport(t *testing.T) {
	o := &org{login: func(w http.ResponseWriter, r *http.Request, _ int) {
		io.WriteString(w, `{"access_token":"t","instance_url":"http://`+r.Host+`"}`)
	}}
	server := serveReal(t, o)
	cfg := config(nil)
	cfg.LoginURL = server
	client := newClient(t, cfg)
	t.Cleanup(client.CloseIdleConnections)
	before := time.Now()
	answer, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 5)})
	if err != nil {
		t.Fatalf("SendBulk = %v", err)
	}
	if answer.Written.Before(before) || answer.Answered.Before(answer.Written) {
		t.Errorf("started %v, written %v, answered %v: out of order", before, answer.Written, answer.Answered)
	}
}
