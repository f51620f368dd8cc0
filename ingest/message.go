package ingest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

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

// message is one JSON object of a client, not yet validated: for each field of
// the protocol its value and JSON type. Left out and null are the same.
type message struct {
	kind, stream, vendorCallKey, parentCallKey, org gjson.Result
	channels, urgent, events, reason                gjson.Result
	seq, messageID, participantID, senderType       gjson.Result
	startTime, endTime, startOffset, endOffset      gjson.Result
	channel, content, traceparent                   gjson.Result

	unknown int // fields that the protocol does not have
}

// decode sorts the fields of a valid JSON object in one pass. Where a field
// comes twice the last one counts.
func decode(object string) *message {
	m := new(message)
	m.read(object)
	return m
}

// read is decode into a message that is empty.
func (m *message) read(object string) {
	gjson.Parse(object).ForEach(func(key, value gjson.Result) bool {
		if f := m.field(key.Str); f != nil {
			*f = value
		} else {
			m.unknown++
		}
		return true
	})
}

func (m *message) field(name string) *gjson.Result {
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

// absent is true for a field that was left out, and for null, which is how
// some languages spell that.
func absent(v gjson.Result) bool { return v.Type == gjson.Null }

// maxName is the longest id that a client may give anything, in bytes.
const maxName = 255

// name reads an id: a string without surprises. Left out, it is empty. It is
// copied: ids live longer than the frame, which may be large, that they came in.
func name(field string, v gjson.Result) (string, *fault) {
	if absent(v) {
		return "", nil
	}
	if v.Type != gjson.String {
		return "", invalid("%s must be a string, is %s", field, describe(v))
	}
	if len(v.Str) > maxName {
		return "", invalid("%s is %d bytes long, at most %d are taken", field, len(v.Str), maxName)
	}
	for i := 0; i < len(v.Str); i++ {
		if v.Str[i] < ' ' || v.Str[i] == 0x7f {
			return "", invalid("%s has a control character at byte %d", field, i)
		}
	}
	return strings.Clone(v.Str), nil
}

// whole reads an integer. A float without a fraction is one: some languages
// have no other way of writing a large number.
func whole(field, of string, v gjson.Result) (int64, *fault) {
	if v.Type == gjson.Number {
		if n, err := strconv.ParseInt(v.Raw, 10, 64); err == nil {
			return n, nil
		}
		if f := v.Num; f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f), nil
		}
	}
	return 0, invalid("%s must be a whole number%s, is %s", field, of, describe(v))
}

// Salesforce wants UTC milliseconds since the epoch. Between these bounds,
// 1973 and 5138, a number of milliseconds cannot be mistaken for one of
// seconds or microseconds.
const (
	earliest = 100_000_000_000
	latest   = 100_000_000_000_000
)

// moment reads a time.
func moment(field string, v gjson.Result) (int64, *fault) {
	ms, f := whole(field, " of milliseconds", v)
	switch {
	case f != nil:
		return 0, f
	case ms < 0:
		return 0, invalid("%s is %d, before 1970: UTC milliseconds since the epoch are wanted", field, ms)
	case ms < earliest:
		return 0, invalid("%s is %d, which looks like seconds: milliseconds are wanted", field, ms)
	case ms > latest:
		return 0, invalid("%s is %d, which looks like microseconds: milliseconds are wanted", field, ms)
	}
	return ms, nil
}

// offset reads milliseconds since the stream's startTime, and adds that.
func offset(field string, v gjson.Result, start int64) (int64, *fault) {
	ms, f := whole(field, " of milliseconds", v)
	switch {
	case f != nil:
		return 0, f
	case start == 0:
		return 0, invalid("%s needs the startTime of the stream, which open did not give", field)
	case ms < 0:
		return 0, invalid("%s is %d, must not be negative", field, ms)
	case ms > latest-start:
		return 0, invalid("%s is %d, far too large for milliseconds since the stream's startTime", field, ms)
	}
	return start + ms, nil
}

func flag(field string, v gjson.Result, otherwise bool) (bool, *fault) {
	switch {
	case absent(v):
		return otherwise, nil
	case v.Type == gjson.True, v.Type == gjson.False:
		return v.Type == gjson.True, nil
	}
	return false, invalid("%s must be true or false, is %s", field, describe(v))
}

// describe says what a value is instead of what it should be. It repeats short
// values only, and is not for fields that hold speech.
func describe(v gjson.Result) string {
	const most = 40
	switch {
	case absent(v):
		return "missing"
	case v.Type == gjson.True:
		return "true"
	case v.Type == gjson.False:
		return "false"
	case v.IsArray():
		return "an array"
	case v.IsObject():
		return "an object"
	case v.Type == gjson.Number && len(v.Raw) <= most:
		return "the number " + v.Raw
	case v.Type == gjson.Number:
		return "a number of " + strconv.Itoa(len(v.Raw)) + " digits"
	case len(v.Str) <= most:
		return "the string " + strconv.Quote(v.Str)
	}
	return "a string of " + strconv.Itoa(len(v.Str)) + " bytes"
}
