package ingest

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// What the server says, as it stands on the wire.

type openedAnswer struct {
	Type       string `json:"type"`
	Stream     string `json:"stream"`
	Epoch      string `json:"epoch"`
	Acked      uint64 `json:"acked"`
	Window     int    `json:"window"`
	PingEvery  int64  `json:"pingEvery"`  // ms
	ServerTime int64  `json:"serverTime"` // ms since the epoch
}

type nackAnswer struct {
	Type     string `json:"type"`
	Stream   string `json:"stream"`
	Seq      uint64 `json:"seq"` // 0: the utterance had no usable one
	Code     string `json:"code"`
	Message  string `json:"message"`
	Expected uint64 `json:"expected,omitempty"` // with code gap only
}

type deliveredAnswer struct {
	Type      string `json:"type"`
	Stream    string `json:"stream"`
	Seq       uint64 `json:"seq"`
	LatencyMs int64  `json:"latencyMs"`
}

type closedAnswer struct {
	Type   string `json:"type"`
	Stream string `json:"stream"`
	Acked  uint64 `json:"acked"`
}

type reconnectAnswer struct {
	Type  string `json:"type"`
	After int64  `json:"after"` // ms
}

type errorAnswer struct {
	Type       string `json:"type"`
	Stream     string `json:"stream,omitempty"` // where it is about one
	Code       string `json:"code"`
	Message    string `json:"message"`
	RetryAfter int64  `json:"retryAfter,omitempty"` // ms
}

// pong answers the protocol's own ping, which clients send that cannot send
// or see WebSocket pings.
const pong = `{"type":"pong"}`

func nack(stream string, seq uint64, f *fault) []byte {
	return encode(nackAnswer{Type: "nack", Stream: stream, Seq: seq, Code: f.code, Message: f.text})
}

func nackGap(stream string, seq, expected uint64) []byte {
	return encode(nackAnswer{
		Type: "nack", Stream: stream, Seq: seq, Code: codeGap, Expected: expected,
		Message: fmt.Sprintf("seq %d is missing: resend from there", expected),
	})
}

func failure(stream string, f *fault) []byte {
	return encode(errorAnswer{Type: "error", Stream: stream, Code: f.code, Message: f.text})
}

// overloaded tells a client to come again, in ms.
func overloaded(stream, text string, retryAfter int64) []byte {
	return encode(errorAnswer{Type: "error", Stream: stream, Code: codeOverloaded, Message: text, RetryAfter: retryAfter})
}

// appendAck writes the most frequent answer without reflection.
func appendAck(b []byte, stream string, seq uint64) []byte {
	b = append(b, `{"type":"ack","stream":`...)
	b = appendQuoted(b, stream)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	return append(b, '}')
}

func encode(answer any) []byte {
	b, err := json.Marshal(answer)
	if err != nil {
		panic("BUG: an answer cannot be encoded: " + err.Error())
	}
	return b
}
