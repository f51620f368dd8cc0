package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"example.com/steno/ingest/client"
	"github.com/gorilla/websocket"
)

// A relay opens one stream for each leg of a call, sends what the engine has
// recognised, and ends the stream with the call.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(acknowledgeAll))
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	c, err := client.New(client.Config{
		URL:    strings.Replace(server.URL, "http", "ws", 1) + "/v1/ingest",
		Token:  "the server's STENO_INGEST_TOKENS has it",
		OnAck:  func(stream string, seq uint64) { fmt.Println(stream, "is safe up to", seq) },
		OnNack: func(n client.Nack) { fmt.Println(n.Stream, n.Seq, "was refused:", n.Code, n.Text) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan error)
	go func() { ran <- c.Run(ctx) }()

	leg, err := c.Open(client.Open{
		Stream:        "leg-1",
		VendorCallKey: "b09955ce",
		StartTime:     1573503300000,
		Channels:      map[string]client.Channel{"0": {SenderType: "END_USER"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	seq, err := leg.Send(ctx, client.Utterance{Channel: "0", StartOffset: 4910, EndOffset: 7620, Content: "Good morning"})
	fmt.Println("sent", seq, err)
	fmt.Println("stream closed:", leg.Close(ctx, "end"))
	fmt.Println("client closed:", c.Close(ctx))
	fmt.Println("run:", <-ran)

	// Unordered output:
	// sent 1 <nil>
	// leg-1 is safe up to 1
	// stream closed: <nil>
	// client closed: <nil>
	// run: <nil>
}

// acknowledgeAll is a server that takes everything, and keeps nothing.
func acknowledgeAll(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{Subprotocols: []string{"steno.v1"}}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	for {
		var m struct {
			Type, Stream string
			Seq          uint64
		}
		if ws.ReadJSON(&m) != nil {
			return
		}
		answer := map[string]any{"stream": m.Stream}
		switch m.Type {
		case "open":
			answer["type"], answer["epoch"], answer["acked"], answer["window"] = "opened", "7f3a", 0, 256
		case "utterance":
			answer["type"], answer["seq"] = "ack", m.Seq
		case "close":
			answer["type"] = "closed"
		}
		if ws.WriteJSON(answer) != nil {
			return
		}
	}
}
