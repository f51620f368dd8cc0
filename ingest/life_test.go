package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest"
	"github.com/gorilla/websocket"
)

// Protocol: `{"type":"ping"}` is answered by `{"type":"pong"}`, after the
// answers to what came before it.
func TestPing(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k") + "\n" + say("a", 1) + "\n" + `{"type":"ping"}` + "\n" + say("a", 2))
		c.expect(opened("a", 0), ack("a", 1), `{"type":"pong"}`, ack("a", 2))
	})
}

// A silent connection has a reader and nothing else (C5): not before it has
// spoken, and not afterwards.
func TestSilentConnectionHasOneGoroutine(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		alone := func(when string) {
			t.Helper()
			synctest.Wait()
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			readers, committers := bytes.Count(stacks, []byte("(*connection).read(")), bytes.Count(stacks, []byte("(*connection).commit("))
			if handlers := bytes.Count(stacks, []byte("(*Server).serveSocket(")); readers != 1 || committers+handlers != 0 {
				t.Errorf("%s: %d readers, %d committers, %d handlers, want a reader only", when, readers, committers, handlers)
			}
		}
		alone("connected")
		for seq := range 3 {
			if seq == 0 {
				c.send(open("a", "k"))
			}
			c.send(say("a", seq+1))
			alone("has spoken")
		}
		c.expect(opened("a", 0), ack("a", 1), ack("a", 2), ack("a", 3))
	})
}

// Protocol: `pingEvery`. WebSocket pings go out at that pace, and a client's own
// are answered.
func TestWebSocketPings(t *testing.T) {
	run(t, ingest.Config{PingEvery: 25 * time.Second}, func(r *rig) {
		c := r.dial()
		began := time.Now()
		var pings []time.Duration
		pongs := 0
		c.ws.SetPingHandler(func(string) error {
			pings = append(pings, time.Since(began))
			return c.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second))
		})
		c.ws.SetPongHandler(func(data string) error {
			if data == "are you there" {
				pongs++
			}
			return nil
		})
		if err := c.ws.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		c.quiet()
		if len(pings) < 12 || pings[0] < 12*time.Second || pings[0] > 25*time.Second || pongs != 1 {
			t.Errorf("%d pings, the first after %v, and %d pongs, want 12 or more, 12s to 25s and 1", len(pings), pings[0], pongs)
		}
		for i := 1; i < len(pings); i++ {
			if pace := pings[i] - pings[i-1]; pace != 25*time.Second {
				t.Errorf("ping %d comes %v after the one before, want 25s", i+1, pace)
			}
		}
	})
}

// A connection without a sign of life is closed at the idle deadline, exactly.
func TestIdle(t *testing.T) {
	run(t, ingest.Config{Idle: time.Minute}, func(r *rig) {
		c := r.dial()
		c.ws.SetPingHandler(func(string) error { return nil }) // it does not answer
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		time.Sleep(50 * time.Second)
		c.send(`{"type":"partial"}`) // any message will do
		began := time.Now()
		c.expectClose(1001)
		if idle := time.Since(began); idle != time.Minute {
			t.Errorf("closed after %v, want 1m0s", idle)
		}
	})
}

// Of signs of life within a twentieth of Idle the first one counts, and one that
// shows them all the time lives.
func TestIdleIsPutOffNowAndThen(t *testing.T) {
	run(t, ingest.Config{Idle: time.Minute}, func(r *rig) {
		c := r.dial()
		c.ws.SetPingHandler(func(string) error { return nil })
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		began := time.Now()
		for range 301 {
			time.Sleep(time.Second)
			c.send(`{"type":"partial"}`)
		}
		c.quiet()
		c.expectClose(1001)
		if lived := time.Since(began); lived != 6*time.Minute {
			t.Errorf("closed after %v, want 6m: the last sign that counts was at 5m", lived)
		}
	})
}

// Protocol: close code 1000 is "done": what the client sent before it closed is
// answered first.
func TestClientCloses(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		if err := c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		c.quiet()
		g.pass()
		c.expect(ack("a", 1))
		c.expectClose(1000)
		r.wantMetric("steno_connections", "0")
	})
}

// Protocol: "On shutdown the server says `reconnect`, flushes, and closes with
// 1001, never 1000." What was received is safe and acknowledged by then.
func TestDrain(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		busy, quiet := r.dial(), r.dial()
		busy.send(open("a", "k"))
		busy.expect(opened("a", 0))
		busy.send(say("a", 1))
		<-g.asked
		busy.send(say("a", 2))
		synctest.Wait()
		began := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- r.server.Drain(context.Background()) }()

		wantReconnect(quiet)
		quiet.expectClose(1001)
		busy.quiet() // its append is under way
		time.Sleep(3 * time.Second)
		g.allow <- nil
		busy.expect(ack("a", 1))
		wantReconnect(busy)
		g.pass()
		busy.expect(ack("a", 2))
		busy.expectClose(1001)
		if err := <-drained; err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("Drain returned %v after %v, want nil after the 3s that the spool took", err, time.Since(began))
		}
		r.wantStored("a/1 a/2")
		_, response, err := r.tryDial("/v1/ingest")
		if err == nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "2" {
			t.Errorf("a drained server let a client in, or said %+v, want 503 with Retry-After", response)
		}
		r.wantMetric(`steno_ingest_connections_refused_total{why="draining"}`, "1")
	})
}

func wantReconnect(c *client) {
	c.t.Helper()
	var m struct {
		Type  string
		After int
	}
	b := c.next()
	if err := json.Unmarshal(b, &m); err != nil || m.Type != "reconnect" || m.After < 1000 || m.After >= 3000 {
		c.t.Errorf("got %s, want reconnect after 1000 to 3000 ms", b)
	}
}

// A drain that takes too long gives up appends that are still under way: they
// are not acknowledged, and their clients are told to reconnect all the same.
func TestDrainOfAStuckSpool(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		<-g.asked
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		began := time.Now()
		err := r.server.Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 20*time.Second {
			t.Errorf("Drain returned %v after %v, want the deadline after 20s", err, time.Since(began))
		}
		for b := c.next(); b != nil; b = c.next() {
			if covers(t, b, `{"type":"ack"}`) {
				t.Errorf("got %s for what is not safe", b)
			}
		}
		c.expectClose(1001)
		r.wantStored("")
	})
}

// A client that does not read is not written to for ever, and what it is told
// of deliveries does not pile up meanwhile.
func TestClientThatDoesNotRead(t *testing.T) {
	run(t, ingest.Config{Window: 4}, func(r *rig) {
		dialer := websocket.Dialer{NetDialContext: r.net.Dial}
		connect := func() *websocket.Conn {
			ws, _, err := dialer.Dial("ws://steno/v1/ingest", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.t.Cleanup(func() { ws.Close() })
			_ = ws.WriteMessage(1, []byte(open("a", "k", `"events":["delivered"]`)))
			return ws
		}
		ws := connect()
		if _, _, err := ws.ReadMessage(); err != nil { // opened, and the last that is read for now
			t.Fatal(err)
		}
		_ = ws.WriteMessage(1, []byte(say("a", 1)))
		if records := r.stored(); len(records) != 1 {
			t.Fatalf("stored %d, want 1", len(records))
		} else {
			for range 1000 {
				r.server.Settled(time.Now(), records)
			}
		}
		got := 0
		_ = ws.SetReadDeadline(time.Now().Add(time.Second))
		for {
			_, b, err := ws.ReadMessage()
			if err != nil {
				break
			}
			if covers(t, b, `{"type":"delivered"}`) {
				got++
			}
		}
		if got != 16 {
			t.Errorf("told of %d deliveries, want the 16 that four windows hold", got)
		}
		ws.Close()
		connect()
		time.Sleep(10 * time.Second)
		r.wantMetric("steno_connections", "0")
	})
}

// A drain without anybody is over at once, and may be asked for again.
func TestDrainOfNobody(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		for range 2 {
			if err := r.server.Drain(context.Background()); err != nil {
				t.Errorf("Drain: %v", err)
			}
		}
	})
}

// A client that does not close after the server has is not waited for long.
func TestDrainOfAClientThatStays(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.ws.SetCloseHandler(func(int, string) error { return nil })
		began := time.Now()
		if err := r.server.Drain(context.Background()); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("Drain returned %v after %v, want nil after 2s", err, time.Since(began))
		}
	})
}

// MaxConnections: who comes beyond it is told to come again.
func TestTooManyConnections(t *testing.T) {
	run(t, ingest.Config{MaxConnections: 1}, func(r *rig) {
		c := r.dial()
		if _, response, err := r.tryDial("/v1/ingest"); err == nil || response.StatusCode != 503 || response.Header.Get("Retry-After") != "2" {
			t.Errorf("the second got %+v, want 503 with Retry-After", response)
		}
		r.wantMetric(`steno_ingest_connections_refused_total{why="full"}`, "1")
		c.ws.Close()
		synctest.Wait()
		r.dial()
	})
}
