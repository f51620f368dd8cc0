package relay

import "github.com/gorilla/websocket"

// ping is one of the client's: it is answered when all owners have answered it,
// since its answer says that everything before it has been.
type ping struct{ left int }

// ping is N4. It returns false when the link ends.
func (n *native) ping() (ok bool) {
	n.mu.Lock()
	ups := n.ups
	if len(ups) > 0 {
		p := &ping{left: len(ups)}
		n.pings = append(n.pings, p)
		for _, u := range ups {
			u.owed = append(u.owed, p)
		}
	}
	n.mu.Unlock()
	if len(ups) == 0 {
		return n.send(n.first(), websocket.TextMessage, []byte(`{"type":"ping"}`)) // the first message must be an open: an owner says so
	}
	for _, u := range ups {
		if !n.send(u, websocket.TextMessage, []byte(`{"type":"ping"}`)) {
			return false
		}
	}
	return true
}

// pong notes that an owner has answered the oldest ping that it owed.
func (n *native) pong(u *upstream) {
	n.mu.Lock()
	if len(u.owed) > 0 {
		u.owed[0].left--
		u.owed = u.owed[1:]
	}
	done := 0
	for done < len(n.pings) && n.pings[done].left == 0 {
		done++
	}
	n.pings = n.pings[done:]
	n.mu.Unlock()
	for range done {
		n.say(websocket.TextMessage, []byte(`{"type":"pong"}`))
	}
}
