package sfclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"example.com/steno/bench/memnet"
	"example.com/steno/sfclient"
)

// TestMain refuses every dial off the machine: no test may reach an org.
func TestMain(m *testing.M) {
	http.DefaultTransport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("a test dials %q", address)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	os.Exit(m.Run())
}

// accepted is what the wrapper says to a transcript that is taken.
const accepted = `{"data":{"result":"Accepted"},"errors":null,"success":true}`

// org is the tests' own Salesforce: a token endpoint, and one handler for all
// that comes with a token. It shares no type with the client.
type org struct {
	login  func(w http.ResponseWriter, r *http.Request, n int) // n counts logins from 1; nil: a token "token-n"
	answer func(w http.ResponseWriter, r *http.Request, n int) // n counts requests from 1; nil: accepted

	mu     sync.Mutex
	logins []seen // guarded by mu
	posts  []seen // guarded by mu
}

// seen is a request that the org has had.
type seen struct {
	method, path, contentType, authorization, body string
	at                                             time.Time
}

// ServeHTTP records the request and answers it.
func (o *org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The client has gone.
	}
	s := seen{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body), time.Now()}
	o.mu.Lock()
	list, answer, standard := &o.posts, o.answer, say(200, accepted)
	if s.path == "/services/oauth2/token" {
		list, answer, standard = &o.logins, o.login, grant
	}
	*list = append(*list, s)
	n := len(*list)
	o.mu.Unlock()
	if answer == nil {
		answer = standard
	}
	answer(w, r, n)
}

// counts returns how many logins and posts there have been.
func (o *org) counts() (logins, posts int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.logins), len(o.posts)
}

// grant is a login that succeeds. As documented, it says nothing of expiry.
func grant(w http.ResponseWriter, _ *http.Request, n int) {
	fmt.Fprintf(w, `{"access_token":"token-%d","instance_url":"http://127.0.0.1","id":"x","token_type":"Bearer","issued_at":"1","signature":"s"}`, n)
}

// say answers with a status and a body, and with headers given as name, value.
func say(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// inOrder gives each request the next answer, and the last one for ever.
func inOrder(answers ...func(http.ResponseWriter, *http.Request, int)) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, r *http.Request, n int) { answers[min(n, len(answers))-1](w, r, n) }
}

// handed is a transport that calls a handler, for tests in which the network
// and time do not matter.
type handed struct{ http.Handler }

func (h handed) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil { // as a server never sees it
		r.Body = http.NoBody
	}
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// config is a config without fault for the given transport.
func config(transport http.RoundTripper) sfclient.Config {
	return sfclient.Config{
		LoginURL: "http://127.0.0.1", ClientID: "id", ClientSecret: "secret", CallCenter: "center", Cert: "cert",
		Transport: transport,
	}
}

// direct returns a client whose requests are calls of the org's handler.
func direct(tb testing.TB, o *org) *sfclient.Client {
	tb.Helper()
	return newClient(tb, config(handed{o}))
}

// connected serves the org on a network in memory and returns a client on it.
// Both end with the test, so it fits a bubble.
func connected(tb testing.TB, o *org) *sfclient.Client {
	tb.Helper()
	client, _ := connectedVia(tb, o)
	return client
}

// connectedVia is connected, and returns the network too.
func connectedVia(tb testing.TB, o *org) (*sfclient.Client, *memnet.Listener) {
	tb.Helper()
	network := memnet.Listen()
	server := &http.Server{Handler: o}
	var done sync.WaitGroup
	done.Go(func() { server.Serve(network) })
	client := newClient(tb, config(network.Client().Transport))
	tb.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
		done.Wait()
	})
	return client, network
}

func newClient(tb testing.TB, cfg sfclient.Config) *sfclient.Client {
	tb.Helper()
	client, err := sfclient.New(cfg)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	return client
}

// typed returns err as the *sfclient.Error that every error must be.
func typed(tb testing.TB, err error) *sfclient.Error {
	tb.Helper()
	e, ok := errors.AsType[*sfclient.Error](err)
	if !ok {
		tb.Fatalf("error is %T %v, want an *Error", err, err)
	}
	return e
}

// raw is an entry of n messages, msg-1 to msg-n.
func raw(call string, n int) sfclient.RawEntry {
	entry := sfclient.RawEntry{VendorCallKey: call}
	for i := range n {
		entry.Messages = append(entry.Messages, message(fmt.Sprintf("msg-%d", i+1)).Append(nil))
	}
	return entry
}

// message is one without fault.
func message(id string) sfclient.Message {
	return sfclient.Message{
		StartTime: 1573503300000, EndTime: 1573503300001, ParticipantID: "call-1END_USER",
		MessageID: id, SenderType: sfclient.EndUser, Content: "Hello All",
	}
}

// serveReal serves a handler on a loopback socket, for what is not in a bubble.
func serveReal(tb testing.TB, h http.Handler) (url string) {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	return server.URL
}

// slowly waits before it answers.
func slowly(wait time.Duration, answer func(http.ResponseWriter, *http.Request, int)) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, r *http.Request, n int) {
		time.Sleep(wait)
		answer(w, r, n)
	}
}
