package relay

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"

	"example.com/steno/ingest"
)

// native knows which message of the native protocol goes where. What is wrong
// with a message is for an owner to say; which one does not matter.
//
//	N1  an open goes to the owner of the call that its transcript goes out under
//	N2  what names an open stream goes where its open went, another open too
//	N3  what names no stream means the only open one; where several are open it
//	    goes to an owner with a name that no stream has
//	N4  a ping goes to all owners that were needed so far, and is answered once
//	    all of them have answered it; where none was, at once
//	N5  all else goes to the owner that was needed first, or to that of the call
//	    without a name
type native struct {
	*link
	request *http.Request

	// link.mu guards these.
	streams map[string]*stream // by the client's own name
	told    bool               // an owner has told the client to reconnect
}

// stream is one that the client has opened, or tries to.
type stream struct {
	up   *upstream
	open bool // the owner has said so
}

// serveNative is the WebSocket door.
func (d *Door) serveNative(w http.ResponseWriter, r *http.Request, org string) {
	if !d.enter(w) {
		return
	}
	upgrader := d.upgrader
	upgrader.Subprotocols = subprotocol(r)
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		d.leave()
		return
	}
	l := d.newLink(org, ws)
	l.native = &native{link: l, request: kept(r), streams: map[string]*stream{}}
	d.begin(l, l.native.take)
}

// kept is what of a request an owner must know.
func kept(r *http.Request) *http.Request {
	h := http.Header{}
	h.Set(ingest.HeaderSince, strconv.FormatInt(time.Now().UnixMicro(), 10))
	if trace := r.Header.Get("Traceparent"); trace != "" {
		h.Set("Traceparent", trace)
	}
	return &http.Request{URL: &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}, Header: h}
}

// take passes a frame's messages on. It returns false when the link ends. What
// is no message an owner must hear of, to say so, but not the messages before it,
// which have gone their ways already.
func (n *native) take(kind int, frame []byte) (ok bool) {
	ok = true
	if !ingest.EachObject(frame, func(object string) bool {
		ok = n.pass(object)
		return ok
	}) && ok {
		return n.send(n.first(), kind, []byte("no message"))
	}
	return ok
}

// message is what decides where one goes.
type message struct{ kind, stream, call, parent gjson.Result }

// read takes the last of two fields of one name, as the owner does.
func read(object string) (m message) {
	gjson.Parse(object).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			m.kind = value
		case "stream":
			m.stream = value
		case "vendorCallKey":
			m.call = value
		case "parentCallKey":
			m.parent = value
		}
		return true
	})
	return m
}

func (n *native) pass(object string) (ok bool) {
	m := read(object)
	frame := []byte(object)
	switch m.kind.Str {
	case "open":
		u := n.opened(m.stream.Str)
		if u == nil {
			u = n.owner(m)
			n.opening(m.stream.Str, u)
		}
		return n.send(u, websocket.TextMessage, frame)
	case "ping":
		return n.ping()
	}
	u, named := n.find(m)
	if !named && m.kind.Str != "" { // N3; the last field of a name counts, so a null is no more in force
		frame = append(frame[:len(frame)-1], `,"stream":""}`...)
	}
	if m.kind.Str == "close" {
		n.forget(m.stream.Str, u)
	}
	return n.send(u, websocket.TextMessage, frame)
}

// send writes a frame to an owner. It returns false when the link ends.
func (n *native) send(u *upstream, kind int, frame []byte) (ok bool) {
	if u == nil {
		return false
	}
	if err := u.write(kind, frame); err != nil {
		n.close(ending{code: websocket.CloseGoingAway, text: "the daemon that works on this call is gone: reconnect"})
		return false
	}
	return true
}

// owner is the upstream for an open (N1).
func (n *native) owner(m message) *upstream {
	key := m.call.Str
	if m.parent.Str != "" {
		key = m.parent.Str
	}
	return n.upstream(key)
}

// upstream connects to the owner of a call, unless that was done before. It
// returns nil where nobody works on the call: then the link ends.
func (n *native) upstream(call string) *upstream {
	if target, ok := n.door.cfg.Routes.Route(n.org, call); ok {
		if u := n.at(target); u != nil {
			return u
		}
	}
	u, _, err := n.door.dial(n.door.life, n.org, call, n.request)
	if err != nil {
		n.unreachable(err)
		return nil
	}
	if !n.add(u) {
		return nil
	}
	return u
}

// at is the upstream to a target; nil: there is none yet.
func (n *native) at(t Target) *upstream {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, u := range n.ups {
		if u.target == t {
			return u
		}
	}
	return nil
}

// first is N5.
func (n *native) first() *upstream {
	n.mu.Lock()
	var u *upstream
	if len(n.ups) > 0 {
		u = n.ups[0]
	}
	n.mu.Unlock()
	if u == nil {
		u = n.upstream("")
	}
	return u
}

// find is N2, N3 and N5. Named is false where the message names no stream and
// several are open.
func (n *native) find(m message) (u *upstream, named bool) {
	n.mu.Lock()
	said := m.stream.Exists() && m.stream.Type != gjson.Null
	if s := n.streams[m.stream.Str]; s != nil && m.stream.Type == gjson.String {
		u = s.up
	}
	if !said && len(n.streams) == 1 {
		for _, s := range n.streams {
			u = s.up
		}
	}
	several := len(n.streams) > 1
	n.mu.Unlock()
	if u == nil {
		u = n.first()
	}
	return u, said || !several
}

// opened is where a stream is open; nil: it is not.
func (n *native) opened(name string) *upstream {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.streams[name]; s != nil && s.open {
		return s.up
	}
	return nil
}

// opening notes where an open goes; nil: nowhere.
func (n *native) opening(name string, u *upstream) {
	if u == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.streams[name] = &stream{up: u}
}

// forget drops a stream that the client closes. One without a name is the only
// one.
func (n *native) forget(name string, u *upstream) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.streams[name]; s == nil && name == "" && len(n.streams) == 1 {
		clear(n.streams)
	} else if s != nil && s.up == u {
		delete(n.streams, name)
	}
}

// heard notes what an owner says. It returns false for what is not for the
// client.
func (n *native) heard(u *upstream, frame []byte) (pass bool) {
	switch gjson.GetBytes(frame, "type").Str {
	case "pong":
		n.pong(u)
		return false
	case "opened":
		n.mu.Lock()
		if s := n.streams[gjson.GetBytes(frame, "stream").Str]; s != nil {
			s.open = true
		}
		n.mu.Unlock()
	case "error": // an open that was refused has opened nothing
		n.mu.Lock()
		name := gjson.GetBytes(frame, "stream").Str
		if s := n.streams[name]; s != nil && s.up == u && !s.open {
			delete(n.streams, name)
		}
		n.mu.Unlock()
	case "reconnect":
		n.mu.Lock()
		n.told = true
		n.mu.Unlock()
	}
	return true
}

func (n *native) toldToReconnect() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told
}
