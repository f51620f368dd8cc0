package relay

import (
	"net/http"
	"net/url"

	"github.com/gorilla/websocket"

	"example.com/steno/ingest"
	"example.com/steno/ingest/dialect"
)

// engine passes an engine's frames on. Where the URL does not name the call the
// engine does, when its session begins: its frames are kept until then.
//
//	E1  the frames go on as they came, the kept ones first
//	E2  an engine whose words come before its call goes to the owner of the call
//	    without a name, which tells it what is wrong, as does one of which too
//	    much would have to be kept
//	E3  an engine that names another call in a later session reconnects, unless
//	    that call has the same owner
type engine struct {
	*link
	request *http.Request
	decoder dialect.Decoder // nil: the URL names the call
	up      *upstream       // nil: not known yet
	call    string          // that the engine has named
	early   []early
	size    int
}

// early is a frame that came before the call was known.
type early struct {
	kind  int
	frame []byte
}

// callOf is the call that a URL names: the one that its transcript goes out
// under.
func callOf(query url.Values) string {
	if parent := query.Get("parent"); parent != "" {
		return parent
	}
	return query.Get("call")
}

// serveEngine is the WebSocket door of a dialect.
func (d *Door) serveEngine(w http.ResponseWriter, r *http.Request, org string) {
	if !d.enter(w) {
		return
	}
	e := &engine{request: kept(r)}
	offered := websocket.Subprotocols(r)
	spoken, known := d.dialects[r.PathValue("dialect")]
	call := callOf(r.URL.Query())
	if call == "" && known {
		e.decoder, _ = spoken.New(dialect.Options{Values: r.URL.Query()})
	}
	if e.decoder == nil && !e.connect(d, w, r, org, call) { // also where the URL has a fault, for the owner to say so
		d.leave()
		return
	}
	upgrader := d.upgrader
	upgrader.Subprotocols = []string{ingest.Subprotocol(offered, spoken.Subprotocols)}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		if e.up != nil {
			e.up.ws.Close()
		}
		d.leave()
		return
	}
	e.link = d.newLink(org, ws)
	if e.up != nil {
		e.add(e.up)
	}
	d.begin(e.link, e.take)
}

// connect finds the owner before the engine is let in, or answers the engine as
// the owner does.
func (e *engine) connect(d *Door, w http.ResponseWriter, r *http.Request, org, call string) (ok bool) {
	u, response, err := d.dialPatiently(r.Context(), org, call, e.request)
	switch {
	case err == nil:
		e.up = u
		return true
	case response == nil:
		d.complain(err)
		refuse(w, http.StatusServiceUnavailable, "overloaded", errNoOwner.Error())
	default:
		pass(w, response)
	}
	return false
}

// take passes a frame on. It returns false when the link ends.
func (e *engine) take(kind int, frame []byte) (ok bool) {
	if e.decoder != nil {
		call, decided := e.listen(frame)
		switch {
		case e.up == nil && !decided:
			e.early = append(e.early, early{kind, frame})
			e.size += len(frame)
			return true
		case e.up == nil:
			if !e.find(call) {
				return false
			}
		case call != "" && call != e.call && !e.stays(call):
			e.close(ending{code: websocket.CloseGoingAway, text: "another daemon works on this call: reconnect"})
			return false
		}
	}
	if err := e.up.write(kind, frame); err != nil {
		e.close(ending{code: websocket.CloseGoingAway, text: "the daemon that works on this call is gone: reconnect"})
		return false
	}
	return true
}

// listen looks for a call in a frame. It has decided when there is one, or when
// none can be waited for any longer (E2).
func (e *engine) listen(frame []byte) (call string, decided bool) {
	const most = 64
	// What is no frame of the dialect is the owner's to count.
	_ = e.decoder.Decode(frame, func(event dialect.Event) {
		switch {
		case event.Kind == dialect.Begin:
			call, decided = event.Call.Key, true
		case event.Kind == dialect.Noise, event.Kind == dialect.Unknown, event.Kind == dialect.Partial:
		default:
			decided = true
		}
	})
	return call, decided || len(e.early) >= most || e.size > e.door.cfg.MaxFrame
}

// find connects to the owner of the call, with the frames that came before.
func (e *engine) find(call string) (ok bool) {
	u, _, err := e.door.dial(e.door.life, e.org, call, e.request)
	if err != nil {
		e.unreachable(err)
		return false
	}
	if !e.add(u) {
		return false
	}
	e.up, e.call = u, call
	for _, f := range e.early {
		if err := u.write(f.kind, f.frame); err != nil {
			return true // the next frame meets it too
		}
	}
	e.early = nil
	return true
}

// stays says whether another call has the same owner.
func (e *engine) stays(call string) bool {
	t, ok := e.door.cfg.Routes.Route(e.org, call)
	if ok && t == e.up.target {
		e.call = call
		return true
	}
	return false
}
