package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest/client"
	"github.com/gorilla/websocket"
)

func TestOneStreamFromOpenToClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			want := `{"type":"open","stream":"leg-1","vendorCallKey":"b09955ce","parentCallKey":"first","startTime":1573503300000,` +
				`"channels":{"0":{"senderType":"END_USER"}},"urgent":true,"events":["delivered"],"org":"acme"}`
			if got := p.next().raw; got != want {
				t.Errorf("open is\n%s, want\n%s", got, want)
			}
			p.say(`{"type":"opened","stream":"leg-1","epoch":"7f3a","acked":0,"window":256,"pingEvery":25000,"serverTime":1573503299990,"new":[]}`)
			want = `{"type":"utterance","stream":"leg-1","seq":1,"messageId":"m1","participantId":"p","senderType":"END_USER",` +
				`"startTime":1573503300000,"endTime":1573503300001,"urgent":true,"content":"Hello \"you\""}`
			if got := p.next().raw; got != want {
				t.Errorf("utterance is\n%s, want\n%s", got, want)
			}
			want = `{"type":"utterance","stream":"leg-1","seq":2,"channel":"0","startOffset":0,"endOffset":7620,"content":"Good morning"}`
			if got := p.next().raw; got != want {
				t.Errorf("utterance is\n%s, want\n%s", got, want)
			}
			p.say("%s\n%s", `{"type":"ack","stream":"leg-1","seq":2}`, `{"type":"delivered","stream":"leg-1","seq":2,"latencyMs":212}`)
			p.expect("close leg-1 end")
			p.say(`{"type":"closed","stream":"leg-1","acked":2}`)
			p.gone(websocket.CloseNormalClosure)
		})
		var told []string
		c, result := h.run(client.Config{
			Token: "secret",
			OnAck: func(stream string, seq uint64) { told = append(told, fmt.Sprint("ack ", stream, " ", seq)) },
			OnDelivered: func(stream string, seq uint64, latency time.Duration) {
				told = append(told, fmt.Sprint("delivered ", stream, " ", seq, " ", latency))
			},
		})
		s, err := c.Open(client.Open{
			Stream: "leg-1", VendorCallKey: "b09955ce", ParentCallKey: "first", StartTime: 1573503300000,
			Channels: map[string]client.Channel{"0": {SenderType: "END_USER"}},
			Urgent:   true, Events: []string{"delivered"}, Org: "acme",
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Opened(t.Context()); err != nil {
			t.Errorf("Opened: %v", err)
		}
		for i, u := range []client.Utterance{
			{MessageID: "m1", ParticipantID: "p", SenderType: "END_USER", StartTime: 1573503300000, EndTime: 1573503300001, Content: `Hello "you"`, Urgent: true},
			{Channel: "0", EndOffset: 7620, Content: "Good morning"},
		} {
			if seq, err := s.Send(t.Context(), u); seq != uint64(i+1) || err != nil {
				t.Errorf("Send %d = %d, %v", i+1, seq, err)
			}
		}
		closeStream(t, s)
		closeStream(t, s) // again changes nothing
		if _, err := s.Send(t.Context(), client.Utterance{}); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Send after Close: %v, want ErrClosed", err)
		}
		closeClient(t, c, result)
		if want := []string{"ack leg-1 2", "delivered leg-1 2 212ms"}; !slices.Equal(told, want) {
			t.Errorf("the hooks were told %q, want %q", told, want)
		}
		wantStats(t, c, client.Stats{Sent: 2, Acked: 2})
		if got, want := h.header.Get("Authorization"), "Bearer secret"; got != want {
			t.Errorf("Authorization: %q, want %q", got, want)
		}
		if got, want := h.header.Get("Sec-WebSocket-Protocol"), "steno.v1"; got != want {
			t.Errorf("subprotocols %q, want %q", got, want)
		}
	})
}

// "At most `window` utterances unacknowledged": what Send takes and what is
// written stays within.
func TestWindowBlocksSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2", "utterance leg-1 3", "utterance leg-1 4")
			time.Sleep(20 * time.Second)
			p.ack(1)
			p.expect("utterance leg-1 5")
			p.ack(5)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		if err := s.Opened(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, s, 4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Send(ctx, client.Utterance{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send beyond the window: %v, want %v", err, context.DeadlineExceeded)
		}
		start := time.Now()
		send(t, s, 1)
		if got := time.Since(start); got != 19*time.Second {
			t.Errorf("Send waited %v for room, want 19s", got)
		}
		closeClient(t, c, result)
		wantStats(t, c, client.Stats{Sent: 5, Acked: 5})
	})
}

// Before the server has named a window 256 are taken; a smaller one then bounds
// what is under way.
func TestWindowBeforeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.expect("open leg-1")
			time.Sleep(time.Second)
			p.say(`{"type":"opened","stream":"leg-1","epoch":"a","window":2}`)
			for i := uint64(1); i <= 256; i++ {
				p.expect(fmt.Sprint("utterance leg-1 ", i))
				if len(p.waiting) > 1 {
					t.Errorf("%d messages wait behind seq %d, the window is 2", len(p.waiting), i)
				}
				if i%2 == 0 {
					p.ack(i)
				}
			}
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		send(t, s, 256)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Send(ctx, client.Utterance{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Send with a done context: %v, want %v", err, context.Canceled)
		}
		closeClient(t, c, result)
	})
}

func TestNackIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 2", "utterance leg-1 3")
			p.say(`{"type":"nack","stream":"leg-1","seq":2,"code":"invalid","message":"endTime is before startTime"}`)
			p.say(`{"type":"nack","stream":"leg-1","seq":2,"code":"invalid","message":"again"}`)
		}, func(p *peer) {
			p.open("a", 0)
			p.expect("utterance leg-1 1", "utterance leg-1 3")
			p.ack(3)
			p.gone(websocket.CloseNormalClosure)
		})
		var nacks []client.Nack
		c, result := h.run(client.Config{OnNack: func(n client.Nack) { nacks = append(nacks, n) }})
		send(t, stream(t, c), 3)
		closeClient(t, c, result)
		if want := []client.Nack{{Stream: "leg-1", Seq: 2, Code: "invalid", Text: "endTime is before startTime"}}; !slices.Equal(nacks, want) {
			t.Errorf("OnNack was told %+v, want %+v", nacks, want)
		}
		wantStats(t, c, client.Stats{Sent: 3, Acked: 2, Nacked: 1, Resent: 2, Reconnects: 1})
	})
}

func TestPartials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, func(p *peer) {
			p.open("a", 0)
			time.Sleep(time.Second) // the client's next frame is on its way
			p.expect("partial leg-1 a", "partial leg-1 other", "partial leg-1 abc", "utterance leg-1 1")
			p.ack(1)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		s := stream(t, c)
		s.Partial(client.Partial{Channel: "0", Content: "offline"})
		if err := s.Opened(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Partial(client.Partial{Channel: "0", Content: "a"})
		synctest.Wait() // it is being written
		s.Partial(client.Partial{Channel: "0", Content: "ab"})
		s.Partial(client.Partial{Channel: "1", Content: "other"})
		s.Partial(client.Partial{Channel: "0", Content: "abc"})
		s.Partial(client.Partial{Channel: "2", Content: "overtaken by the utterance"})
		if _, err := s.Send(t.Context(), client.Utterance{Channel: "2"}); err != nil {
			t.Fatal(err)
		}
		closeClient(t, c, result)
	})
}

// What waits shares frames of at most 64 KiB, and the streams take turns.
func TestFramesAreFewAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, each = 50, 256
		h := serve(t, func(p *peer) {
			last := map[string]uint64{}
			for range streams + streams*each {
				m := p.next()
				if m.Type == "open" {
					p.say(`{"type":"opened","stream":%q,"epoch":"a","window":256}`, m.Stream)
					continue
				}
				if m.Seq != last[m.Stream]+1 {
					t.Errorf("%v after seq %d", m, last[m.Stream])
				}
				last[m.Stream] = m.Seq
				if m.Seq == each {
					p.say(`{"type":"ack","stream":%q,"seq":%d}`, m.Stream, m.Seq)
				}
			}
			if p.largest > 64<<10 {
				t.Errorf("the largest frame has %d bytes", p.largest)
			}
			if p.frames > 120 {
				t.Errorf("%d utterances came in %d frames", streams*each, p.frames)
			}
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{})
		for i := range streams {
			s, err := c.Open(client.Open{Stream: fmt.Sprint("s", i), VendorCallKey: "k"})
			if err != nil {
				t.Fatal(err)
			}
			for range each {
				if _, err := s.Send(t.Context(), client.Utterance{Content: strings.Repeat("x", 200)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		closeClient(t, c, result)
		wantStats(t, c, client.Stats{Sent: streams * each, Acked: streams * each})
	})
}

func TestRefusedByTheClientItself(t *testing.T) {
	f := func(url string, ok bool) {
		t.Helper()
		if _, err := client.New(client.Config{URL: url}); (err == nil) != ok {
			t.Errorf("New with URL %q: %v, want an error: %v", url, err, !ok)
		}
	}
	f("wss://steno.example/v1/ingest", true)
	f("", false)
	f("http://steno.example/v1/ingest", false)
	f("ws:///v1/ingest", false)
	f("ws://user:password@steno.example/", false)
	f("ws://%zz", false)

	c, err := client.New(client.Config{URL: "ws://steno.example"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(client.Open{Stream: "s"}); err == nil {
		t.Error("Open without vendorCallKey has no error")
	}
	if _, err := c.Open(client.Open{Stream: strings.Repeat("s", 1<<20), VendorCallKey: "k"}); !errors.Is(err, client.ErrTooLarge) {
		t.Errorf("Open with a huge id: %v, want ErrTooLarge", err)
	}
	s := stream(t, c)
	if _, err := c.Open(client.Open{Stream: "leg-1", VendorCallKey: "other"}); err == nil {
		t.Error("Open of an id that is open has no error")
	}
	if _, err := s.Send(t.Context(), client.Utterance{Content: strings.Repeat("x", 2<<20)}); !errors.Is(err, client.ErrTooLarge) {
		t.Errorf("Send of 2 MiB: %v, want ErrTooLarge", err)
	}
	wantStats(t, c, client.Stats{})
}

// The log may be read by those who may not read the calls.
func TestLogHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		h := serve(t, nil, func(p *peer) {
			p.open("a", 3)
			p.expect("utterance leg-1 4")
		}, func(p *peer) {
			p.open("a", 4)
			p.gone(websocket.CloseNormalClosure)
		})
		c, result := h.run(client.Config{
			Token: "s3cret",
			Log:   slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		s := stream(t, c)
		for range 4 {
			if _, err := s.Send(t.Context(), client.Utterance{Content: "my card number is"}); err != nil {
				t.Fatal(err)
			}
		}
		closeClient(t, c, result)
		if got := log.String(); strings.Contains(got, "card") || strings.Contains(got, "s3cret") {
			t.Errorf("the log has speech or secrets:\n%s", got)
		}
		for _, want := range []string{"503", "no connection, will try again", "connected", "known to the server from before"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, log.String())
			}
		}
	})
}
