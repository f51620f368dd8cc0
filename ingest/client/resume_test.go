package client_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest/client"
	"github.com/gorilla/websocket"
)

// "A client resends from opened.acked on, and only after a reconnect."
func TestReconnectResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4")
			p.ack(1)
			p.expect("utterance leg-1 5")
		}, func(p *peer) {
			p.open("a", 2)
			p.expect("utterance leg-1 3", "utterance leg-1 4", "utterance leg-1 5")
			p.ack(5)
			p.gone(websocket.CloseNormalClosure)
		})
		var acks []uint64
		c, result := h.run(client.Config{OnAck: func(_ string, seq uint64) { acks = append(acks, seq) }})
		send(t, stream(t, c), 5)
		closeClient(t, c, result)
		if want := []uint64{1, 2, 5}; !slices.Equal(acks, want) {
			t.Errorf("OnAck was told %v, want %v", acks, want)
		}
		wantStats(t, c, client.Stats{Sent: 5, Acked: 5, Resent: 3, Reconnects: 1})
	})
}

// "A changed epoch means that the server has lost the stream's state: resend
// everything you still hold." The server expects 1, which is held no more, and
// takes the first one when it comes again.
func TestRestartWithNewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4")
			p.ack(1)
		}, func(p *peer) {
			p.open("b", 0)
			for _, want := range []string{"utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4"} {
				m := p.next()
				if m.String() != want {
					t.Errorf("the client wrote %q, want %q", m, want)
				}
				p.say(`{"type":"nack","stream":"leg-1","seq":%d,"code":"gap","message":"seq 1 is missing","expected":1}`, m.Seq)
			}
			p.expect("utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4")
			p.ack(4)
			p.expect("utterance leg-1 5")
			p.ack(5)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		send(t, s, 4)
		time.Sleep(time.Second)
		send(t, s, 1)
		closeClient(t, c, result)
		wantStats(t, c, client.Stats{Sent: 5, Acked: 5, Resent: 6, Reconnects: 1})
	})
}

// A server that refuses what it has asked for gets another connection, not a
// loop.
func TestGapRefusedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := func(p *peer) {
			p.open("a", 0)
			for range 2 {
				p.expect("utterance leg-1 1")
				p.say(`{"type":"nack","stream":"leg-1","seq":1,"code":"gap","expected":1}`)
			}
			p.quiet()
		}
		h := serve(t, refuse, refuse, func(p *peer) {
			p.open("a", 1)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		send(t, stream(t, c), 1)
		closeClient(t, c, result)
		if wait := h.dialled(3).Sub(h.dialled(2)); wait < 250*time.Millisecond {
			t.Errorf("the third connection came %v after the second, want the backoff to have grown", wait)
		}
	})
}

// Codes after which another connection may help, and a connection that is cut.
func TestCloseCodesThatReconnect(t *testing.T) {
	f := func(code int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, func(p *peer) {
				p.open("a", 0)
				p.expect("utterance leg-1 1")
				p.ack(1)
				if code != 0 {
					p.close(code, "")
				}
			}, func(p *peer) {
				p.open("a", 1)
				p.expect("utterance leg-1 2")
				p.ack(2)
				p.gone(websocket.CloseNormalClosure)
			})
			c, result := h.run(client.Config{})
			s := stream(t, c)
			send(t, s, 1)
			time.Sleep(10 * time.Second)
			send(t, s, 1)
			closeClient(t, c, result)
			if wait := h.dialled(2).Sub(h.dialled(1)); wait < 125*time.Millisecond || wait > 250*time.Millisecond {
				t.Errorf("code %d: reconnected after %v, want 125 to 250 ms", code, wait)
			}
		})
	}
	f(0)
	f(1000) // not asked for
	f(1001)
	f(1011)
	f(1013)
	f(4429)
	f(4999)
}

func TestCloseCodesThatStop(t *testing.T) {
	f := func(code int, want error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, func(p *peer) {
				p.open("a", 0)
				p.expect("utterance leg-1 1")
				p.close(code, "because")
			})
			c, result := h.run(client.Config{})
			s := stream(t, c)
			send(t, s, 1)
			is := func(what string, err error) {
				t.Helper()
				closed, ok := errors.AsType[*client.CloseError](err)
				if want != nil && !errors.Is(err, want) || want == nil && (!ok || closed.Code != code || closed.Text != "because") {
					t.Errorf("code %d: %s: %v", code, what, err)
				}
			}
			is("Close of the stream", s.Close(t.Context(), "end"))
			is("Run", <-result)
			_, err := s.Send(t.Context(), client.Utterance{})
			is("Send", err)
			_, err = c.Open(client.Open{Stream: "other", VendorCallKey: "k"})
			is("Open", err)
			is("Close of the client", c.Close(t.Context()))
			wantStats(t, c, client.Stats{Sent: 1})
		})
	}
	f(4409, client.ErrReplaced)
	f(1008, client.ErrUnauthorized)
	f(4400, nil)
	f(1003, nil)
	f(1009, nil)
}

// A connection that was lost may have words on their way still, and an open
// among them takes the stream from the connection that came after it. So one
// that is replaced as soon as it is back comes again, once: somebody else may
// have the stream.
func TestReplacedByItsOwnLateWords(t *testing.T) {
	lost := func(p *peer) { p.open("a", 0) }
	replaced := func(after time.Duration) script {
		return func(p *peer) {
			p.open("a", 0)
			for end := time.Now().Add(after); time.Now().Before(end); time.Sleep(time.Second) {
				p.say(`{"type":"pong"}`)
			}
			_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4409, ""), time.Now().Add(time.Second))
			for p.err == nil { // pings may be on the way
				_, _, p.err = p.ws.ReadMessage()
			}
		}
	}
	f := func(want error, scripts ...script) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, scripts...)
			c, result := h.run(client.Config{})
			stream(t, c)
			if want == nil {
				time.Sleep(3 * time.Minute)
				closeClient(t, c, result)
			} else if err := <-result; !errors.Is(err, want) {
				t.Errorf("Run: %v, want %v", err, want)
			}
		})
	}
	soon, late := replaced(time.Second), replaced(time.Minute)
	stays := func(p *peer) {
		p.open("a", 0)
		p.gone(websocket.CloseNormalClosure)
	}
	lives := func(p *peer) {
		p.open("a", 0)
		for range 80 {
			p.say(`{"type":"pong"}`)
			time.Sleep(time.Second)
		}
	}
	f(nil, lost, soon, stays)
	f(nil, lost, soon, lives, soon, stays)
	f(client.ErrReplaced, lost, soon, soon)
	f(client.ErrReplaced, lost, late)
	f(client.ErrReplaced, soon) // it was never lost
}

func TestUnauthorizedHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t)
		h.only401 = true
		c, result := h.run(client.Config{})
		s := stream(t, c)
		if err := <-result; !errors.Is(err, client.ErrUnauthorized) {
			t.Errorf("Run: %v, want ErrUnauthorized", err)
		}
		if err := s.Opened(t.Context()); !errors.Is(err, client.ErrUnauthorized) {
			t.Errorf("Opened: %v, want ErrUnauthorized", err)
		}
		if err := c.Run(t.Context()); err == nil {
			t.Error("a second Run has no error")
		}
	})
}

// On shutdown "the server says reconnect, flushes, and closes with 1001": what
// it flushes counts, it gets nothing more, and is left alone for `after`.
func TestReconnectMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said time.Time
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1")
			said = time.Now()
			p.say(`{"type":"reconnect","after":1500}`)
			time.Sleep(time.Second)
			p.ack(1)
			p.close(1001, "")
		}, func(p *peer) {
			p.open("a", 1)
			p.expect("utterance leg-1 2")
			p.ack(2)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		send(t, s, 1)
		time.Sleep(500 * time.Millisecond)
		s.Partial(client.Partial{Channel: "1", Content: "too late"})
		send(t, s, 1)
		closeClient(t, c, result)
		if wait := h.dialled(2).Sub(said); wait < 1500*time.Millisecond || wait > 1800*time.Millisecond {
			t.Errorf("came back %v after the message, want 1.5 to 1.8 s", wait)
		}
		wantStats(t, c, client.Stats{Sent: 2, Acked: 2, Reconnects: 1})
	})
}

// A server that says reconnect and stays is left after 30 s, and one that asks
// for an hour gets a minute.
func TestReconnectMessageWithoutHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.say(`{"type":"reconnect","after":3600000}`)
			start := time.Now()
			for p.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"pong"}`)) == nil {
				time.Sleep(time.Second)
			}
			if got := time.Since(start); got < 30*time.Second || got > 32*time.Second {
				t.Errorf("the client stayed for %v, want 30 s", got)
			}
		}, func(p *peer) {
			p.open("a", 0)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		stream(t, c)
		time.Sleep(2 * time.Minute)
		closeClient(t, c, result)
		if wait := h.dialled(2).Sub(h.dialled(1)); wait < time.Minute || wait > 72*time.Second {
			t.Errorf("came back after %v, want 60 to 72 s", wait)
		}
	})
}

// A server that shows no sign of life for 2.5 of its pingEvery is dead.
func TestSilentServerIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			for p.err == nil { // pings are read, not answered
				_, _, p.err = p.ws.ReadMessage()
				p.pings++
			}
			if p.pings != 3 {
				t.Errorf("the client sent %d pings in 25 s, want 2", p.pings-1)
			}
		}, func(p *peer) {
			p.open("a", 0)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		stream(t, c)
		time.Sleep(time.Minute)
		closeClient(t, c, result)
		if wait := h.dialled(2).Sub(h.dialled(1)); wait < 25*time.Second || wait > 25*time.Second+250*time.Millisecond {
			t.Errorf("came back after %v, want 25 s and the backoff", wait)
		}
	})
}

// A server that pings and reads nothing is catching up: the connection stays,
// whichever write hangs for however long.
func TestBackpressureIsNoDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			for range 60 {
				time.Sleep(10 * time.Second)
				if err := p.ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)); err != nil {
					t.Errorf("ping: %v", err)
				}
			}
			pongs := 0
			p.ws.SetPongHandler(func(string) error { pongs++; return nil })
			p.expect("utterance leg-1 1", "utterance leg-1 2")
			time.Sleep(time.Second) // a pong is under way before all is done
			p.ack(2)
			p.gone(websocket.CloseNormalClosure)
			if pongs == 0 {
				t.Error("no WebSocket ping was answered")
			}
		})
		c, result := h.run(client.Config{})
		send(t, stream(t, c), 2)
		closeClient(t, c, result)
		wantStats(t, c, client.Stats{Sent: 2, Acked: 2})
	})
}

// The wait doubles from failure to failure, and a server that names one is
// obeyed.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := func(*peer) {}
		h := serve(t, cut, cut, cut, cut, nil, func(p *peer) {
			p.open("a", 0)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{BackoffMin: time.Second, BackoffMax: 4 * time.Second})
		stream(t, c)
		time.Sleep(time.Minute)
		closeClient(t, c, result)
		for i, most := range []time.Duration{1, 2, 4, 4} {
			most *= time.Second
			if wait := h.dialled(i + 2).Sub(h.dialled(i + 1)); wait < most/2 || wait > most {
				t.Errorf("wait %d was %v, want %v to %v", i+1, wait, most/2, most)
			}
		}
		if wait := h.dialled(6).Sub(h.dialled(5)); wait < 3*time.Second || wait > 3600*time.Millisecond {
			t.Errorf("after Retry-After: 3 the wait was %v", wait)
		}
	})
}

// Run ends when its context does, says goodbye, and everything that waits ends.
func TestContextEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4")
			p.gone(websocket.CloseGoingAway)
		})
		c := h.client(client.Config{})
		ctx, stop := context.WithCancelCause(t.Context())
		why := errors.New("the relay is going down")
		s := stream(t, c)
		result, sent := make(chan error), make(chan error)
		go func() { result <- c.Run(ctx) }()
		if err := s.Opened(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, s, 4)
		go func() {
			_, err := s.Send(t.Context(), client.Utterance{})
			sent <- err
		}()
		time.Sleep(time.Second)
		stop(why)
		if err := <-result; !errors.Is(err, why) {
			t.Errorf("Run: %v, want %v", err, why)
		}
		if err := <-sent; !errors.Is(err, why) {
			t.Errorf("Send that waits: %v, want %v", err, why)
		}
	})
}

// A server that hangs in the handshake does not hold Run up.
func TestContextEndsHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t)
		h.hang = true
		c := h.client(client.Config{})
		stream(t, c)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		start := time.Now()
		if err := c.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Run: %v after %v, want %v after 1s", err, time.Since(start), context.DeadlineExceeded)
		}
	})
}
