package client

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzReplies says anything at all to a client in the middle of its work. It
// must neither panic nor lose count.
func FuzzReplies(f *testing.F) {
	for _, frame := range []string{
		`{"type":"opened","stream":"a","epoch":"1","acked":2,"window":4,"pingEvery":25000}{"type":"ack","stream":"a","seq":3}`,
		`{"type":"opened","stream":"b","epoch":"x","acked":18446744073709551615,"window":-1,"pingEvery":-5}`,
		`{"type":"nack","stream":"a","seq":3,"code":"invalid","message":"no"}{"type":"ack","stream":"a","seq":18446744073709551615}`,
		`{"type":"nack","stream":"a","seq":2,"code":"gap","expected":18446744073709551615}`,
		`{"type":"nack","stream":"a","seq":2,"code":"gap"}{"type":"nack","stream":"a","seq":2,"code":"gap"}`,
		`{"type":"closed","stream":"a","acked":1}{"type":"closed","stream":"b","acked":99}`,
		`{"type":"error","stream":"b","code":"overloaded","retryAfter":9223372036854775807}`,
		`{"type":"error","stream":"b","code":"invalid"}{"type":"error","code":"internal","retryAfter":1}`,
		`{"type":"reconnect","after":-1}{"type":"delivered","stream":"a","seq":1,"latencyMs":212}{"type":"pong"}{"type":"news"}`,
		`{"type":7}`, `[]`, `{`, ``,
	} {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame string) {
		c, a, b := busyClient(t)
		now := time.Now()
		for d := json.NewDecoder(strings.NewReader(frame)); ; {
			var m reply
			if d.Decode(&m) != nil {
				break
			}
			if _, err := c.apply(&m, now, nil); err != nil && err != errRefusedTwice {
				t.Errorf("apply: %v", err)
			}
			c.fill(nil, now)
			checkCounts(t, c, a, b)
		}
		c.end()
	})
}

// busyClient has a stream a, which has written 4 of 5 utterances and waits with
// one, and a stream b, which is being opened and holds 5.
func busyClient(t *testing.T) (c *Client, a, b *Stream) {
	c, err := New(Config{URL: "ws://steno.example/"})
	if err != nil {
		t.Fatal(err)
	}
	c.begin(time.Now())
	for i, s := range []**Stream{&a, &b} {
		if *s, err = c.Open(Open{Stream: string(rune('a' + i)), VendorCallKey: "k"}); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := (*s).Send(t.Context(), Utterance{Content: "x"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.fill(nil, time.Now())
	if _, err := c.apply(&reply{Type: "opened", Stream: "a", Epoch: "1", Window: 4}, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	c.fill(nil, time.Now())
	return c, a, b
}

func checkCounts(t *testing.T, c *Client, streams ...*Stream) {
	t.Helper()
	held := 0
	for _, s := range streams {
		for _, it := range s.out.held {
			if !it.final {
				held++
			}
		}
		if o := &s.out; s.phase != done && (o.next < o.base || o.next > o.end() || o.top >= o.end()) {
			t.Errorf("stream %s: base %d, next %d, end %d, top %d", s.id, o.base, o.next, o.end(), o.top)
		}
	}
	if st := c.Stats(); st.Sent != st.Acked+st.Nacked+uint64(held) {
		t.Errorf("Stats = %+v, and %d are held", st, held)
	}
}

// BenchmarkUtterance is the client's own cost of an utterance, from Send to its
// acknowledgement, without the network.
//
//	go test ./ingest/client -run - -bench Utterance -count 6 -cpu 2
func BenchmarkUtterance(b *testing.B) {
	c, err := New(Config{URL: "ws://steno.example/"})
	if err != nil {
		b.Fatal(err)
	}
	c.begin(time.Now())
	s, err := c.Open(Open{Stream: "a", VendorCallKey: "k"})
	if err != nil {
		b.Fatal(err)
	}
	frame := c.fill(nil, time.Now()).frame
	if _, err := c.apply(&reply{Type: "opened", Stream: "a", Epoch: "1"}, time.Now(), nil); err != nil {
		b.Fatal(err)
	}
	u := Utterance{Channel: "0", StartTime: 1573503300000, EndTime: 1573503300001, Content: strings.Repeat("word ", 12)}
	var events []event
	b.ReportAllocs()
	for b.Loop() {
		seq, err := s.Send(b.Context(), u)
		if err != nil {
			b.Fatal(err)
		}
		frame = c.fill(frame[:0], time.Now()).frame
		if events, err = c.apply(&reply{Type: "ack", Stream: "a", Seq: seq}, time.Now(), events[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
