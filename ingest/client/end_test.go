package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest/client"
	"github.com/gorilla/websocket"
)

// Close of a stream waits for everything to be acknowledged before it ends the
// stream, and for the server's word that it has.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2")
			time.Sleep(time.Second)
			p.ack(1)
			time.Sleep(time.Second)
			p.ack(2)
			p.expect("close leg-1 hold")
			time.Sleep(time.Second)
			p.say(`{"type":"closed","acked":2}`) // the name may be left out
			p.expect("open leg-1")
			p.say(`{"type":"opened","stream":"leg-1","epoch":"b","acked":0}`)
			p.expect("utterance leg-1 1")
			p.ack(1)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		send(t, s, 2)
		start := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer stop()
		if err := s.Close(ctx, "hold"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want %v", err, context.DeadlineExceeded)
		}
		if err := s.Close(t.Context(), "end"); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Close: %v after %v, want nil after 3s", err, time.Since(start))
		}
		send(t, stream(t, c), 1) // the id is free again
		closeClient(t, c, result)
	})
}

// The confirmation of a close is lost with its connection: the stream is opened
// and closed again, whether the server still knows it or not.
func TestCloseOverReconnect(t *testing.T) {
	lost := func(p *peer) {
		p.open("a", 0)
		p.expect("close leg-1 end")
	}
	f := func(name string, second script) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, lost, second)
			c, result := h.run(client.Config{})
			s := stream(t, c)
			if err := s.Close(t.Context(), ""); err != nil {
				t.Errorf("%s: Close: %v", name, err)
			}
			closeClient(t, c, result)
		})
	}
	f("known", func(p *peer) {
		p.open("a", 0)
		p.expect("close leg-1 end")
		p.say(`{"type":"closed","stream":"leg-1","acked":0}`)
		p.gone(websocket.CloseNormalClosure)
	})
	f("ended", func(p *peer) {
		p.expect("open leg-1")
		p.say(`{"type":"error","stream":"leg-1","code":"call_ended","message":"the call has ended"}`)
		p.gone(websocket.CloseNormalClosure)
	})
	f("unknown", func(p *peer) {
		p.open("b", 0)
		p.expect("close leg-1 end")
		p.say(`{"type":"error","stream":"leg-1","code":"unknown_stream","message":"not open"}`)
		p.gone(websocket.CloseNormalClosure)
	})
}

// The server ends a stream that still holds something: that is refused, and
// said so.
func TestClosedByTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2")
			p.say(`{"type":"closed","stream":"leg-1","acked":1}`)
			p.gone(websocket.CloseNormalClosure)
		})
		var nacks []client.Nack
		c, result := h.run(client.Config{OnNack: func(n client.Nack) { nacks = append(nacks, n) }})
		s := stream(t, c)
		send(t, s, 2)
		err := s.Close(t.Context(), "end")
		if e, ok := errors.AsType[*client.StreamError](err); !ok || e.Code != "closed" {
			t.Errorf("Close: %v, want a StreamError with code closed", err)
		}
		closeClient(t, c, result)
		if len(nacks) != 1 || nacks[0].Seq != 2 {
			t.Errorf("OnNack was told %+v, want seq 2", nacks)
		}
		wantStats(t, c, client.Stats{Sent: 2, Acked: 1, Nacked: 1})
	})
}

func TestOpenIsRefusedForAWhile(t *testing.T) {
	f := func(refusal string, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, func(p *peer) {
				p.expect("open leg-1", "open leg-2")
				p.say(`{"type":"opened","stream":"leg-2","epoch":"a"}`)
				p.expect("utterance leg-2 1")
				p.say(`{"type":"ack","stream":"leg-2","seq":1}`)
				time.Sleep(time.Second)
				p.say(`{"type":"error","stream":"leg-1",%s,"message":"too many streams"}`, refusal)
				start := time.Now()
				p.open("a", 0)
				if got := time.Since(start); got != want {
					t.Errorf("%s: opened again after %v, want %v", refusal, got, want)
				}
				p.expect("utterance leg-1 1")
				p.ack(1)
				p.gone(websocket.CloseNormalClosure)
			})
			c, result := h.run(client.Config{})
			send(t, stream(t, c), 1)
			other, err := c.Open(client.Open{Stream: "leg-2", VendorCallKey: "k"})
			if err != nil {
				t.Fatal(err)
			}
			send(t, other, 1)
			closeClient(t, c, result)
		})
	}
	f(`"code":"overloaded","retryAfter":3000`, 3*time.Second)
	f(`"code":"overloaded"`, 2*time.Second)
	f(`"code":"unauthorized","retryAfter":500`, 500*time.Millisecond)
	f(`"code":"internal","retryAfter":3600000`, time.Minute)
}

func TestOpenIsRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.expect("open leg-1")
			time.Sleep(time.Second) // both utterances have been said
			p.say(`{"type":"error","stream":"leg-1","code":"unknown_org","message":"org is \"acme\""}`)
			p.gone(websocket.CloseNormalClosure)
		})
		var nacks []string
		c, result := h.run(client.Config{OnNack: func(n client.Nack) { nacks = append(nacks, fmt.Sprint(n.Stream, n.Seq, n.Code)) }})
		s := stream(t, c)
		send(t, s, 2)
		err := s.Opened(t.Context())
		if e, ok := errors.AsType[*client.StreamError](err); !ok || *e != (client.StreamError{Stream: "leg-1", Code: "unknown_org", Text: `org is "acme"`}) {
			t.Errorf("Opened: %v, want the refusal", err)
		}
		if _, again := s.Send(t.Context(), client.Utterance{}); again != err {
			t.Errorf("Send: %v, want %v", again, err)
		}
		closeClient(t, c, result)
		if want := []string{"leg-11unknown_org", "leg-12unknown_org"}; !slices.Equal(nacks, want) {
			t.Errorf("OnNack was told %q, want %q", nacks, want)
		}
		wantStats(t, c, client.Stats{Sent: 2, Nacked: 2})
	})
}

// Close ends what waits in Send, and Close of the client waits for the streams
// that are being closed.
func TestCloseWhileOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4")
			time.Sleep(2 * time.Second)
			p.ack(4)
			p.expect("close leg-1 end")
			time.Sleep(2 * time.Second)
			p.say(`{"type":"closed","stream":"leg-1","acked":4}`)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		if err := s.Opened(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, s, 4)
		closed := make(chan error, 1)
		time.AfterFunc(time.Second, func() { closed <- s.Close(t.Context(), "end") })
		start := time.Now()
		if _, err := s.Send(t.Context(), client.Utterance{}); !errors.Is(err, client.ErrClosed) || time.Since(start) != time.Second {
			t.Errorf("Send that waits while the stream is closed: %v after %v, want ErrClosed after 1s", err, time.Since(start))
		}
		closeClient(t, c, result)
		if err := <-closed; err != nil {
			t.Errorf("Close of the stream: %v", err)
		}
		if got := time.Since(start); got != 4*time.Second {
			t.Errorf("both were closed after %v, want 4s", got)
		}
	})
}

// Close of the client waits for acknowledgements, over a lost connection too,
// and leaves streams for the server to wait for.
func TestClientCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2")
			time.Sleep(2 * time.Second)
			p.say(`{"type":"error","code":"overloaded","message":"utterances cannot be stored now","retryAfter":5000}`)
			p.close(1013, "")
		}, func(p *peer) {
			p.open("a", 1)
			p.expect("utterance leg-1 2")
			p.ack(2)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		send(t, s, 2)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want %v", err, context.DeadlineExceeded)
		}
		if _, err := s.Send(t.Context(), client.Utterance{}); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Send on a closing client: %v, want ErrClosed", err)
		}
		if _, err := c.Open(client.Open{Stream: "s", VendorCallKey: "k"}); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Open on a closing client: %v, want ErrClosed", err)
		}
		closeClient(t, c, result)
		if wait := h.dialled(2).Sub(h.dialled(1)); wait < 7*time.Second || wait > 8*time.Second {
			t.Errorf("came back after %v, want the 2 s of the connection and 5 to 6 s", wait)
		}
	})
}

// A client that was never used, or has nothing left while there is no server,
// closes without a connection.
func TestClientCloseWithoutConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, result := serve(t).run(client.Config{})
		closeClient(t, c, result)
	})
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1")
			p.ack(1)
		})
		c, result := h.run(client.Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
		send(t, stream(t, c), 1)
		time.Sleep(time.Second)
		closeClient(t, c, result)
	})
}
