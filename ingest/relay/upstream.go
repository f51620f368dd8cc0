package relay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/ingest"
)

// The headers by which a relay tells an owner what a connection is about.
const (
	HeaderOrg       = "Steno-Org"
	HeaderPartition = "Steno-Partition"
)

// upstream is a connection to the owner of a partition, in which one client's
// messages of the partition's calls go on.
type upstream struct {
	target Target
	call   string // one of the partition's
	ws     *websocket.Conn
	owed   []*ping // the client's pings that it has not answered yet; link.mu guards it
}

// errNoOwner is why a client is turned away that has waited for long enough.
var errNoOwner = errors.New("no daemon works on this call at the moment: come again")

// errForeign is a fault of the cluster's, not of the client's, whose token is
// good: it must not be told that it is not allowed.
var errForeign = errors.New("the owner does not know this daemon: do they have the same cluster key?")

// dial connects to the owner of a call, as r asks for. An answer of the owner's
// that is no WebSocket is returned with the error.
func (d *Door) dial(ctx context.Context, org, call string, r *http.Request) (*upstream, *http.Response, error) {
	target, ok := d.cfg.Routes.Route(org, call)
	if !ok {
		return nil, nil, errNoOwner
	}
	ws, response, err := d.dialer.DialContext(ctx, address("ws", target, r), d.header(target, r))
	switch {
	case err == nil:
		ws.SetReadLimit(int64(d.cfg.MaxFrame))
		return &upstream{target: target, call: call, ws: ws}, response, nil
	case response != nil && response.StatusCode == http.StatusUnauthorized:
		return nil, nil, errForeign
	case response == nil || passing(response.StatusCode):
		return nil, nil, fmt.Errorf("%w: %w", errNoOwner, err)
	}
	return nil, response, fmt.Errorf("connect to the owner of %s/%d: %w", target.Org, target.Partition, err)
}

// dialPatiently is dial for a client that is not connected yet, and may wait:
// while a partition moves nobody works on it. Once a client is connected nothing
// waits: it may have gone and come back through another door meanwhile, and what
// it had said here would take its streams over from there.
func (d *Door) dialPatiently(ctx context.Context, org, call string, r *http.Request) (*upstream, *http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Patience)
	defer cancel()
	for {
		changed := d.cfg.Routes.Changed()
		u, response, err := d.dial(ctx, org, call, r)
		if !errors.Is(err, errNoOwner) {
			return u, response, err
		}
		if !lookAgain(ctx, changed) {
			return nil, nil, err
		}
	}
}

// lookAgain waits until another owner may be there, and returns false when ctx
// is done.
func lookAgain(ctx context.Context, changed <-chan struct{}) bool {
	again := time.NewTimer(retryEvery)
	defer again.Stop()
	select {
	case <-changed:
	case <-again.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// passing says whether an owner's refusal is one that another owner, or the
// same one in a moment, will not repeat.
func passing(status int) bool {
	return status == http.StatusMisdirectedRequest || status == http.StatusServiceUnavailable
}

// address is where the owner serves what r asks for. The client's token is not
// for the owner, and not for its logs.
func address(scheme string, t Target, r *http.Request) string {
	query := r.URL.Query()
	query.Del("token")
	u := url.URL{Scheme: scheme, Host: t.Address, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}
	return u.String()
}

// header is what the owner gets to see of a request.
func (d *Door) header(t Target, r *http.Request) http.Header {
	h := http.Header{}
	h.Set("Authorization", "Bearer "+d.cfg.Key)
	h.Set(HeaderOrg, t.Org)
	h.Set(HeaderPartition, strconv.Itoa(t.Partition))
	for _, name := range []string{ingest.HeaderSince, "Traceparent", "Content-Type"} {
		if v := r.Header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	return h
}

// write passes a frame on. One goroutine does so at a time.
func (u *upstream) write(kind int, frame []byte) error {
	_ = u.ws.SetWriteDeadline(time.Now().Add(writeWait)) // never fails
	return u.ws.WriteMessage(kind, frame)
}

// finish asks the owner to answer what it has and to close.
func (u *upstream) finish(code int) {
	_ = u.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(closeWait))
}
