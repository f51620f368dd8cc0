package load_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"

	"example.com/steno/bench/load"
	"example.com/steno/bench/workload"
)

// relay is a daemon of few words: it posts every utterance by itself, once or
// as often as times says, and acknowledges it.
type relay struct {
	org   string
	times func(seq int64) int
	wait  sync.WaitGroup
}

func (d *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.wait.Add(1)
	defer d.wait.Done()
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	keys := map[string]string{}
	for {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return
		}
		m := gjson.ParseBytes(frame)
		stream := m.Get("stream").Str
		switch m.Get("type").Str {
		case "open":
			keys[stream] = m.Get("vendorCallKey").Str
		case "utterance":
			for range d.times(m.Get("seq").Int()) {
				body := fmt.Sprintf(`{"voiceCallId":%q,"messageId":%q,"content":%q}`, keys[stream], m.Get("messageId").Str, m.Get("content").Str)
				response, err := http.Post(d.org+"/services/apexrest/cnxscv/voice/v1/createTranscriptMessage", "application/json", strings.NewReader(body))
				if err != nil {
					return
				}
				response.Body.Close()
			}
			_ = ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"ack","stream":%q,"seq":%d}`, stream, m.Get("seq").Int()))
		case "close":
			_ = ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"closed","stream":%q,"acked":0}`, stream))
		}
	}
}

// play puts a load on a relay.
func play(t *testing.T, shape load.Shape, times func(seq int64) int) *load.Report {
	t.Helper()
	sink, err := load.OpenSink("127.0.0.1:0", "k-", load.Answer{})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	d := &relay{org: sink.URL(), times: times}
	server := httptest.NewServer(d)
	defer server.Close()
	r, err := load.Play(t.Context(), load.Config{
		URL: "ws" + strings.TrimPrefix(server.URL, "http"), Connections: 3, Shape: shape, Recording: workload.Builtin(),
		Key: "k-", Sink: sink, Settle: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.CloseClientConnections()
	d.wait.Wait()
	return r
}

func once(int64) int { return 1 }

// TestEveryShapeArrives plays each shape and finds all of it at the sink.
func TestEveryShapeArrives(t *testing.T) {
	f := func(s load.Shape, least uint64) {
		t.Helper()
		r := play(t, s, once)
		if !r.Clean() || r.Said < least || r.Delivered != r.Said || r.Ack.Count != r.Said || r.Added.Count+r.Urgent.Count != r.Said {
			t.Errorf("%s: %+v, want at least %d said, all delivered and acknowledged", s.Kind, r, least)
		}
	}
	f(load.Shape{Kind: load.Real, Calls: 20, Speed: 50, Duration: 200 * time.Millisecond, Urgent: 3}, 20)
	f(load.Shape{Kind: load.Sync, Calls: 20, Speed: 50, Duration: 200 * time.Millisecond}, 10)
	f(load.Shape{Kind: load.Poisson, Calls: 20, Rate: 500, Duration: 200 * time.Millisecond}, 50)
	f(load.Shape{Kind: load.Burst, Calls: 20, Rate: 200, Every: 50 * time.Millisecond, Duration: 200 * time.Millisecond}, 30)
	f(load.Shape{Kind: load.Flat, Calls: 7, Count: 1000, Duration: time.Minute, OneSpeaker: true}, 1000)
}

// TestFaultsAreSeen: what is lost or doubled shows, and the report is not clean.
func TestFaultsAreSeen(t *testing.T) {
	shape := load.Shape{Kind: load.Flat, Calls: 5, Count: 50, Duration: time.Minute}
	lost := play(t, shape, func(seq int64) int { return int(seq % 2) })
	if lost.Lost != 25 || lost.Clean() {
		t.Errorf("%d lost, clean is %v, want 25 and not", lost.Lost, lost.Clean())
	}
	doubled := play(t, shape, func(seq int64) int { return 1 + int(seq%2) })
	if doubled.Duplicates != 25 || doubled.Clean() {
		t.Errorf("%d doubled, clean is %v, want 25 and not", doubled.Duplicates, doubled.Clean())
	}
}

func TestReportIsWritten(t *testing.T) {
	r := play(t, load.Shape{Kind: load.Poisson, Calls: 5, Rate: 500, Duration: 100 * time.Millisecond}, once)
	var table, object bytes.Buffer
	if err := errors.Join(r.WriteTable(&table), r.WriteJSON(&object)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"delivered", "added latency", "acknowledged after", "order violations", "lost"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, &table)
		}
	}
	if got := gjson.Get(object.String(), "delivered").Uint(); got != r.Said {
		t.Errorf("delivered is %d in the JSON, want %d", got, r.Said)
	}
	for name, draw := range map[string]func(io.Writer) error{"over time": r.WriteOverTime, "distribution": r.WriteDistribution} {
		var svg bytes.Buffer
		if err := draw(&svg); err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(svg.Bytes(), new(any)); err != nil || !strings.Contains(svg.String(), "polyline") {
			t.Errorf("the picture of the %s is no SVG with a curve (%v):\n%s", name, err, &svg)
		}
	}
}

func TestSenselessConfigs(t *testing.T) {
	f := func(word string, c load.Config) {
		t.Helper()
		if _, err := load.Play(context.Background(), c); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("Play gave %v, want an error about %s", err, word)
		}
	}
	good := load.Shape{Kind: load.Real, Calls: 1, Speed: 1, Duration: time.Second}
	with := func(change func(*load.Shape)) load.Config {
		s := good
		change(&s)
		return load.Config{URL: "ws://127.0.0.1:1", Connections: 1, Shape: s}
	}
	f("connections", load.Config{URL: "ws://127.0.0.1:1", Shape: good})
	f("ws://", load.Config{URL: "http://127.0.0.1:1", Connections: 1, Shape: good})
	f("calls", with(func(s *load.Shape) { s.Calls = 0 }))
	f("duration", with(func(s *load.Shape) { s.Duration = 0 }))
	f("speed", with(func(s *load.Shape) { s.Speed = 0 }))
	f("rate", with(func(s *load.Shape) { s.Kind = load.Poisson }))
	f("every", with(func(s *load.Shape) { s.Kind, s.Rate = load.Burst, 1 }))
	f("count", with(func(s *load.Shape) { s.Kind = load.Flat }))
	f("connect to the door", load.Config{URL: "ws://127.0.0.1:1", Connections: 1, Shape: good})
}
