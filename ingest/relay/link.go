package relay

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// link is one client's connection and those in which its messages go on.
//
//	L1  the first reason to end it is the one that the client is told
//	L2  when it ends, every upstream is first asked to answer what it has: what
//	    the owners have acknowledged reaches the client before the close frame
//	L3  a client that vanishes takes its upstreams with it without a goodbye: to
//	    an owner an engine that says goodbye has ended its stream
//	L4  an upstream that ends for itself ends the link, by its own close code
type link struct {
	door   *Door
	org    string
	ws     *websocket.Conn
	native *native // nil: an engine's

	pen chan struct{} // size 1: who has put a token in may write to ws

	mu     sync.Mutex // guards what follows
	ups    []*upstream
	ending ending
	pings  []*ping

	over    chan struct{} // closed when ending is set
	gone    chan struct{} // closed when the client's reader has ended
	readers sync.WaitGroup
}

// ending says how a link ends. The zero value: it does not.
type ending struct {
	code   int
	text   string
	abrupt bool // the client has vanished
}

func (d *Door) newLink(org string, ws *websocket.Conn) *link {
	return &link{door: d, org: org, ws: ws, pen: make(chan struct{}, 1), over: make(chan struct{}), gone: make(chan struct{})}
}

// serve runs the link until both sides have done with it.
func (l *link) serve(take func(kind int, frame []byte) bool) {
	go l.read(take)
	beat := time.NewTicker(l.door.cfg.PingEvery)
	defer beat.Stop()
	for open := true; open; {
		select {
		case <-beat.C:
			_ = l.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait)) // an error is the reader's to meet
		case <-l.over:
			open = false
		case <-l.door.life.Done():
			l.close(ending{code: websocket.CloseGoingAway, text: "the daemon is going away: reconnect", abrupt: true})
		}
	}
	l.hangUp()
}

// read takes the client's frames until the link ends, and then drops them until
// the client has closed: a socket closed with unread data takes the last
// answers with it.
func (l *link) read(take func(kind int, frame []byte) bool) {
	defer close(l.gone)
	alive := func(string) error { return l.ws.SetReadDeadline(time.Now().Add(l.door.cfg.Idle)) }
	l.ws.SetPongHandler(alive)
	l.ws.SetPingHandler(func(data string) error {
		_ = l.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeWait))
		return alive("")
	})
	l.ws.SetCloseHandler(func(int, string) error { return nil }) // hangUp answers it, after the last answers
	for taking := true; ; {
		_ = alive("")
		kind, frame, err := l.frame()
		switch {
		case err == errTooBig:
			l.close(ending{code: websocket.CloseMessageTooBig, text: fmt.Sprintf("a frame holds at most %d bytes", l.door.cfg.MaxFrame)})
			taking = false
		case err != nil:
			l.close(lost(err))
			return
		default:
			taking = taking && take(kind, frame)
		}
	}
}

// errTooBig is a frame above Config.MaxFrame. The next one can be read.
var errTooBig = errors.New("the frame is too big")

func (l *link) frame() (kind int, frame []byte, err error) {
	kind, r, err := l.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	frame, err = io.ReadAll(io.LimitReader(r, int64(l.door.cfg.MaxFrame)+1))
	if err == nil && len(frame) > l.door.cfg.MaxFrame {
		err = errTooBig
	}
	return kind, frame, err
}

// lost is the ending for a client that cannot be read any more.
func lost(err error) ending {
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code != websocket.CloseAbnormalClosure {
		return ending{code: closed.Code}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return ending{code: websocket.CloseGoingAway, text: "no message or pong for too long"}
	}
	return ending{code: websocket.CloseAbnormalClosure, abrupt: true}
}

// close begins the end of the link (L1).
func (l *link) close(how ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending.code == 0 {
		l.ending = how
		close(l.over)
	}
}

// unreachable ends the link because an owner cannot be reached.
func (l *link) unreachable(err error) {
	l.door.complain(err)
	l.close(ending{code: websocket.CloseTryAgainLater, text: errNoOwner.Error()})
}

// add takes an upstream in, and reads its answers from now on. It returns false
// when the link is ending.
func (l *link) add(u *upstream) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending.code != 0 {
		u.ws.Close()
		return false
	}
	l.ups = append(l.ups, u)
	l.readers.Go(func() { l.answers(u) })
	return true
}

// answers passes on what an owner says until it has said all (L4), or shows no
// sign of life: it pings more often than that.
func (l *link) answers(u *upstream) {
	alive := func() { _ = u.ws.SetReadDeadline(time.Now().Add(l.door.cfg.Idle)) } // never fails
	u.ws.SetPingHandler(func(data string) error {
		alive()
		_ = u.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeWait))
		return nil
	})
	for {
		alive()
		kind, frame, err := u.ws.ReadMessage()
		if err != nil {
			how := ending{code: websocket.CloseGoingAway, text: "the daemon that works on this call is gone: reconnect"}
			if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code != websocket.CloseAbnormalClosure {
				how = ending{code: closed.Code, text: closed.Text}
			}
			l.close(how)
			return
		}
		if l.native == nil || l.native.heard(u, frame) {
			l.say(kind, frame)
		}
	}
}

// say writes a frame to the client.
func (l *link) say(kind int, frame []byte) {
	l.pen <- struct{}{}
	_ = l.ws.SetWriteDeadline(time.Now().Add(writeWait)) // never fails
	err := l.ws.WriteMessage(kind, frame)
	<-l.pen
	if err != nil {
		l.close(ending{code: websocket.CloseAbnormalClosure, abrupt: true})
	}
}

// follow ends the link when another daemon works on its calls now.
func (l *link) follow() {
	l.mu.Lock()
	ups := l.ups
	l.mu.Unlock()
	for _, u := range ups {
		if now, ok := l.door.cfg.Routes.Route(l.org, u.call); !ok || now != u.target {
			l.close(ending{code: websocket.CloseGoingAway, text: "another daemon works on this call now: reconnect"})
			return
		}
	}
}

// hangUp says the last words of the link and closes its sockets (L2, L3).
func (l *link) hangUp() {
	l.mu.Lock()
	how, ups := l.ending, l.ups
	l.mu.Unlock()
	for _, u := range ups {
		if how.abrupt {
			u.ws.Close()
		} else {
			u.finish(how.code)
		}
	}
	closed := make(chan struct{})
	go func() {
		l.readers.Wait()
		close(closed)
	}()
	wait(closed, closeWait)
	for _, u := range ups {
		u.ws.Close()
	}
	<-closed
	if !how.abrupt {
		l.goodbye(how)
		wait(l.gone, closeWait)
	}
	l.ws.Close()
	<-l.gone
}

// goodbye tells the client how the link ends.
func (l *link) goodbye(how ending) {
	if (how.code == websocket.CloseGoingAway || how.code == websocket.CloseTryAgainLater) && l.native != nil && !l.native.toldToReconnect() {
		after := retryAfter/2 + rand.N(retryAfter)
		l.say(websocket.TextMessage, []byte(`{"type":"reconnect","after":`+strconv.FormatInt(after.Milliseconds(), 10)+`}`))
	}
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(how.code, how.text), time.Now().Add(closeWait))
}

// wait waits for done, and no longer than d.
func wait(done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
