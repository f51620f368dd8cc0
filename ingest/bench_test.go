package ingest

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/bench/memnet"
	"example.com/steno/ingest/dialect"
	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"
)

const benchOpen = `{"type":"open","stream":"leg-1","vendorCallKey":"b09955ce","startTime":1573503300000,"channels":{"0":{"senderType":"END_USER"},"1":{"participantId":"005xx000001Sv6A","senderType":"HUMAN_AGENT"}}}`

// 65 bytes of content is the mean of real calls.
const benchUtterance = `{"type":"utterance","stream":"leg-1","seq":%d,"channel":"1","startOffset":4910,"endOffset":7620,"content":"Good morning, you are through to the clinic, how may I help you?"}`

// go test -run '^$' -bench Decode -count 6 -cpu 2 ./ingest
func BenchmarkDecodeValidateRender(b *testing.B) {
	o, _, f := decode(benchOpen).opening("")
	if f != nil {
		b.Fatal(f.text)
	}
	frame := fmt.Appendf(nil, benchUtterance, 1)
	received := time.Unix(1573503300, 0)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		eachObject(asText(frame), func(text string) (object, more bool) {
			m := decode(text)
			seq, _ := sequenceNumber(m.seq)
			u, f := m.utterance(o, 32<<10)
			if f != nil {
				b.Fatal(f.text)
			}
			_ = u.record(o, streamMessageID(o.id, seq), received)
			return true, true
		})
	}
}

// One connection through memory: frame → spool → ack, one at a time, and with
// a window of 256 under way.
//
// go test -run '^$' -bench Connection -count 6 -cpu 2 ./ingest
func BenchmarkConnection(b *testing.B) {
	for _, window := range []int{1, 256} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			s := spool.NewMemory()
			server := New(Config{MaxRate: 1 << 30}, s, metrics.NewSet(), slog.New(slog.DiscardHandler))
			go func() { _ = server.Run(b.Context()) }()
			listener := memnet.Listen()
			httpServer := &http.Server{Handler: server.Handler()}
			go func() { _ = httpServer.Serve(listener) }()
			defer httpServer.Close()
			dialer := websocket.Dialer{NetDialContext: listener.Dial}
			ws, _, err := dialer.Dial("ws://steno/v1/ingest", nil)
			if err != nil {
				b.Fatal(err)
			}
			defer ws.Close()
			if err := ws.WriteMessage(websocket.TextMessage, []byte(benchOpen)); err != nil {
				b.Fatal(err)
			}
			if _, _, err := ws.ReadMessage(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			pump(b, ws, window)
		})
	}
}

// What most of an engine's frames cost: a partial.
//
// go test -run '^$' -bench EnginePartial -count 6 -cpu 2 ./ingest
func BenchmarkEnginePartial(b *testing.B) {
	d, known := dialect.Lookup("vosk")
	if !known {
		b.Fatal("there is no vosk")
	}
	s := New(Config{MaxRate: 1 << 30}, spool.NewMemory(), metrics.NewSet(), slog.New(slog.DiscardHandler))
	decoder, err := d.New(dialect.Options{Partials: true})
	if err != nil {
		b.Fatal(err)
	}
	c := s.newConnection(nil)
	e := &engine{c: c, leg: &leg{dialect: d, call: "b09955ce"}, decoder: decoder, count: s.metrics.dialects[d.Name]}
	if c.engine = e; !e.open("b09955ce") {
		b.Fatal("the stream does not open")
	}
	frame := []byte(`{"partial" : "good morning you are through to the clinic"}`)
	b.ReportAllocs()
	for b.Loop() {
		if !e.take(incoming{websocket.TextMessage, frame, time.Unix(1573503300, 0)}) {
			b.Fatal("the connection is closing")
		}
	}
}

// pump sends utterances with at most a window of them unacknowledged.
func pump(b *testing.B, ws *websocket.Conn, window int) {
	acks := make(chan int, 1024)
	go func() {
		defer close(acks)
		for {
			_, frame, err := ws.ReadMessage()
			if err != nil {
				return
			}
			seq, _ := sequenceNumber(decode(string(frame)).seq)
			acks <- int(seq)
		}
	}()
	sent, acked := 0, 0
	frame := make([]byte, 0, 512)
	for b.Loop() {
		sent++
		frame = fmt.Appendf(frame[:0], benchUtterance, sent)
		if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			b.Fatal(err)
		}
		for sent-acked >= window {
			acked = <-acks
		}
	}
	for acked < sent {
		acked = <-acks
	}
}
