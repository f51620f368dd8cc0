package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// maxMessage is the size of a frame that every server takes, in bytes.
const maxMessage = 1 << 20

// Open says what a stream is. Stream and VendorCallKey are needed.
type Open struct {
	// Stream is the stream's id, the same after every reconnect, unique among
	// those of the call.
	Stream string `json:"stream"`

	// VendorCallKey is the telephony system's key of the call.
	VendorCallKey string `json:"vendorCallKey"`

	// ParentCallKey is the first call's key, for a transfer or conference: the
	// transcript goes out under it.
	ParentCallKey string `json:"parentCallKey,omitempty"`

	// StartTime, in UTC milliseconds since the epoch, is what StartOffset and
	// EndOffset of utterances count from.
	StartTime int64 `json:"startTime,omitempty"`

	// Channels says who speaks on which channel.
	Channels map[string]Channel `json:"channels,omitempty"`

	// Urgent makes every utterance urgent: it waits for no company.
	Urgent bool `json:"urgent,omitempty"`

	// Traceparent is a W3C trace context, which goes out with the requests that
	// carry the stream's utterances.
	Traceparent string `json:"traceparent,omitempty"`

	// Events asks for more than acknowledgements: "delivered" for
	// Config.OnDelivered.
	Events []string `json:"events,omitempty"`

	// Org picks the Salesforce org; empty is the only or the default one.
	Org string `json:"org,omitempty"`
}

// Channel is who speaks on a channel, in Salesforce's terms. An END_USER,
// VIRTUAL_AGENT or SUPERVISOR needs no ParticipantID.
type Channel struct {
	ParticipantID string `json:"participantId,omitempty"`
	SenderType    string `json:"senderType,omitempty"`
}

// Utterance is one final piece of speech. Its speaker is the one of Channel,
// or of ParticipantID and SenderType, which win.
type Utterance struct {
	MessageID     string // empty: the server makes one that stays the same in every repeat
	Channel       string
	ParticipantID string
	SenderType    string // Salesforce's: END_USER, HUMAN_AGENT, …

	// StartTime and EndTime are UTC milliseconds since the epoch. In place of
	// one that is 0, the offset is sent: milliseconds since the stream's
	// StartTime.
	StartTime, EndTime     int64
	StartOffset, EndOffset int64

	Content string
	Urgent  bool // waits for no company; false: as the stream says
}

// Partial is speech that may still change. It is shown on the live monitor and
// goes no further.
type Partial struct {
	Channel       string `json:"channel,omitempty"`
	ParticipantID string `json:"participantId,omitempty"`
	SenderType    string `json:"senderType,omitempty"`
	Content       string `json:"content"`
}

// Nack is the server's last word about an utterance that it does not take.
type Nack struct {
	Stream string
	Seq    uint64
	Code   string // of the protocol: invalid, too_large, call_ended, …
	Text   string // in words, for people
}

// body renders what follows an utterance's seq, without the opening brace.
func (u *Utterance) body() ([]byte, error) {
	w := struct {
		MessageID     string `json:"messageId,omitempty"`
		Channel       string `json:"channel,omitempty"`
		ParticipantID string `json:"participantId,omitempty"`
		SenderType    string `json:"senderType,omitempty"`
		StartTime     int64  `json:"startTime,omitempty"`
		StartOffset   *int64 `json:"startOffset,omitempty"`
		EndTime       int64  `json:"endTime,omitempty"`
		EndOffset     *int64 `json:"endOffset,omitempty"`
		Urgent        bool   `json:"urgent,omitempty"`
		Content       string `json:"content"`
	}{
		MessageID: u.MessageID, Channel: u.Channel, ParticipantID: u.ParticipantID, SenderType: u.SenderType,
		StartTime: u.StartTime, EndTime: u.EndTime, Urgent: u.Urgent, Content: u.Content,
	}
	if u.StartTime == 0 {
		w.StartOffset = &u.StartOffset
	}
	if u.EndTime == 0 {
		w.EndOffset = &u.EndOffset
	}
	b := encode(w)
	if len(b) > maxMessage-1024 { // room for what stands before it
		return nil, fmt.Errorf("utterance of %d bytes: %w", len(b), ErrTooLarge)
	}
	return b[1:], nil
}

// reply is a message of the server, whichever it is.
type reply struct {
	Type       string       `json:"type"`
	Stream     string       `json:"stream"`
	Epoch      string       `json:"epoch"`
	Acked      uint64       `json:"acked"`
	Window     int          `json:"window"`
	PingEvery  milliseconds `json:"pingEvery"`
	Seq        uint64       `json:"seq"`
	Code       string       `json:"code"`
	Message    string       `json:"message"`
	Expected   uint64       `json:"expected"`
	LatencyMs  milliseconds `json:"latencyMs"`
	After      milliseconds `json:"after"`
	RetryAfter milliseconds `json:"retryAfter"`
}

type milliseconds int64

// duration cuts what no sane server says, so that it cannot overflow.
func (ms milliseconds) duration() time.Duration {
	const day = milliseconds(24 * 60 * 60 * 1000)
	return time.Duration(min(max(ms, 0), day)) * time.Millisecond
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a message cannot be encoded: " + err.Error())
	}
	return b
}
