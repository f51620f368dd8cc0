package ingest

import (
	"fmt"

	"github.com/tidwall/gjson"
)

// Codes of nack and error. The set is closed: clients branch on them.
const (
	codeInvalid         = "invalid"
	codeTooLarge        = "too_large"
	codeUnknownStream   = "unknown_stream"
	codeGap             = "gap"
	codeCallEnded       = "call_ended"
	codeDuplicateStream = "duplicate_stream"
	codeOverloaded      = "overloaded"
	codeUnauthorized    = "unauthorized"
	codeUnknownOrg      = "unknown_org"
	codeInternal        = "internal"
)

// fault is what is wrong with a message, in words for its sender. The text
// begins with the field's name and never holds what was said in a call.
type fault struct {
	code string
	text string
}

func invalid(format string, args ...any) *fault {
	return &fault{code: codeInvalid, text: fmt.Sprintf(format, args...)}
}

// within puts the name of the value that holds the field before a fault's text.
func (f *fault) within(path string) *fault {
	if f == nil || path == "" {
		return f
	}
	return &fault{code: f.code, text: path + "." + f.text}
}

// message is one JSON object of a client, not yet validated: what each field of
// the protocol holds. It lives no longer than the object's text, of whose memory
// its values may be part: what outlives it is copied (name, render).
type message struct {
	kind, stream, vendorCallKey, parentCallKey, org value
	channels, urgent, events, reason                value
	seq, messageID, participantID, senderType       value
	startTime, endTime, startOffset, endOffset      value
	channel, content, traceparent                   value

	unknown int // fields that the protocol does not have
}

// decode reads a text that is a JSON object.
func decode(object string) *message {
	m := new(message)
	m.read(object)
	return m
}

// read sorts the fields of a JSON object into a message that is empty. It
// returns false, and leaves anything in the message, where the text is something
// else. Where a field comes twice the last one counts.
func (m *message) read(text string) (ok bool) {
	if m.readFlat(text) {
		return true
	}
	if !isObject(text) {
		return false
	}
	*m = message{} // of what was flat until then
	m.readAny(text)
	return true
}

// readAny reads any JSON object.
func (m *message) readAny(object string) {
	value{gjson.JSON, object}.each(func(name string, v value) bool {
		m.set(name, v)
		return true
	})
}

func (m *message) set(name string, v value) {
	if f := m.field(name); f != nil {
		*f = v
	} else {
		m.unknown++
	}
}

func (m *message) field(name string) *value {
	switch name {
	case "type":
		return &m.kind
	case "stream":
		return &m.stream
	case "vendorCallKey":
		return &m.vendorCallKey
	case "parentCallKey":
		return &m.parentCallKey
	case "org":
		return &m.org
	case "channels":
		return &m.channels
	case "urgent":
		return &m.urgent
	case "events":
		return &m.events
	case "reason":
		return &m.reason
	case "seq":
		return &m.seq
	case "messageId":
		return &m.messageID
	case "participantId":
		return &m.participantID
	case "senderType":
		return &m.senderType
	case "startTime":
		return &m.startTime
	case "endTime":
		return &m.endTime
	case "startOffset":
		return &m.startOffset
	case "endOffset":
		return &m.endOffset
	case "channel":
		return &m.channel
	case "content":
		return &m.content
	case "traceparent":
		return &m.traceparent
	}
	return nil
}
