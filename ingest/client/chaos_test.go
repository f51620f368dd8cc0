package client_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest/client"
)

// ledger is what a server has stored, over all its connections.
type ledger struct {
	mu    sync.Mutex
	taken map[string]uint64
}

// take stores an utterance that is the next one of its stream, and returns how
// far the stream has come.
func (l *ledger) take(t *testing.T, m message) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch have := l.taken[m.Stream]; {
	case m.Seq > have+1:
		t.Errorf("%v came after %d", m, have)
	case m.Seq == have+1:
		if want := fmt.Sprint(m.Stream, " says ", m.Seq); m.Content != want {
			t.Errorf("%v has content %q, want %q", m, m.Content, want)
		}
		l.taken[m.Stream]++
	}
	return l.taken[m.Stream]
}

// play answers n messages and then cuts the connection, with what was not
// answered on its way.
func (l *ledger) play(n int) script {
	return func(p *peer) {
		for range n {
			m := p.next()
			var err error
			switch m.Type {
			case "open":
				err = p.ws.WriteJSON(map[string]any{"type": "opened", "stream": m.Stream, "epoch": "a", "acked": l.take(p.t, message{Stream: m.Stream}), "window": 16})
			case "utterance":
				seq := l.take(p.t, m)
				if rand.IntN(3) == 0 || seq%10 == 0 { // an ack stands for those before it
					err = p.ws.WriteJSON(map[string]any{"type": "ack", "stream": m.Stream, "seq": seq})
				}
			case "close":
				err = p.ws.WriteJSON(map[string]any{"type": "closed", "stream": m.Stream, "acked": l.take(p.t, message{Stream: m.Stream})})
			default:
				return
			}
			if err != nil {
				return
			}
		}
	}
}

// Many callers, many streams, and a network that keeps failing: everything
// arrives once and in order.
func TestUnreliableNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, each = 20, 200
		l := &ledger{taken: map[string]uint64{}}
		var scripts []script
		for range 30 {
			scripts = append(scripts, l.play(10+rand.IntN(300)))
		}
		h := serve(t, append(scripts, l.play(1<<30))...)
		h.spare = true
		c, result := h.run(client.Config{})
		var callers sync.WaitGroup
		for i := range streams {
			callers.Go(func() {
				id := fmt.Sprint("s", i)
				s, err := c.Open(client.Open{Stream: id, VendorCallKey: "k"})
				for n := 1; n <= each && err == nil; n++ {
					time.Sleep(rand.N(200 * time.Millisecond))
					_, err = s.Send(t.Context(), client.Utterance{Content: fmt.Sprint(id, " says ", n)})
				}
				if err == nil {
					err = s.Close(t.Context(), "end")
				}
				if err != nil {
					t.Errorf("stream %s: %v", id, err)
				}
			})
		}
		callers.Wait()
		closeClient(t, c, result)
		st := c.Stats()
		if st.Sent != streams*each || st.Acked != st.Sent || st.Reconnects < 5 {
			t.Errorf("Stats = %+v, want %d sent and acked over several connections", st, streams*each)
		}
		for id, n := range l.taken {
			if n != each {
				t.Errorf("stream %s: %d arrived, want %d", id, n, each)
			}
		}
	})
}
