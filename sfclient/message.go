package sfclient

import (
	"strconv"
	"unicode/utf8"
)

// SenderType says whose words a message has.
type SenderType string

// The sender types that Salesforce knows.
const (
	EndUser      SenderType = "END_USER"      // the caller; participantId is the vendorCallKey + "END_USER"
	ExternalUser SenderType = "EXTERNAL_USER" // somebody else; participantId is the partner's own unique id
	HumanAgent   SenderType = "HUMAN_AGENT"   // participantId is the Salesforce user id, 005…
	Supervisor   SenderType = "SUPERVISOR"    // participantId is the vendorCallKey + "SUPERVISOR"
	VirtualAgent SenderType = "VIRTUAL_AGENT" // participantId is the vendorCallKey + "VIRTUAL_AGENT"
)

// Message is one utterance as Salesforce takes it. Every field is required.
type Message struct {
	StartTime     int64      `json:"startTime"` // UTC milliseconds since the epoch
	EndTime       int64      `json:"endTime"`   // the same; not before StartTime
	ParticipantID string     `json:"participantId"`
	MessageID     string     `json:"messageId"` // unique in the conversation; a repeat carries the same
	SenderType    SenderType `json:"senderType"`
	Content       string     `json:"content"` // the text; no greatest length is documented
}

// Append appends the message as the JSON object that SendMessage and SendBulk
// take: fields in the order of the wrapper's documentation, no white space, and
// U+FFFD in place of bytes that are not UTF-8.
func (m Message) Append(dst []byte) []byte {
	dst = append(dst, `{"startTime":`...)
	dst = strconv.AppendInt(dst, m.StartTime, 10)
	dst = append(dst, `,"endTime":`...)
	dst = strconv.AppendInt(dst, m.EndTime, 10)
	dst = append(dst, `,"participantId":`...)
	dst = appendString(dst, m.ParticipantID)
	dst = append(dst, `,"messageId":`...)
	dst = appendString(dst, m.MessageID)
	dst = append(dst, `,"senderType":`...)
	dst = appendString(dst, string(m.SenderType))
	dst = append(dst, `,"content":`...)
	dst = appendString(dst, m.Content)
	return append(dst, '}')
}

// faults names every field that Salesforce would refuse, at the given place in
// a request. It quotes no content.
func (m Message) faults(place string) []string {
	var faults []string
	add := func(field, fault string) { faults = append(faults, place+field+" "+fault) }
	if m.StartTime <= 0 {
		add("startTime", "is "+strconv.FormatInt(m.StartTime, 10)+": must be above 0")
	}
	if m.EndTime < m.StartTime {
		add("endTime", "is "+strconv.FormatInt(m.EndTime, 10)+": must not be before startTime")
	}
	if m.ParticipantID == "" {
		add("participantId", "is empty")
	}
	if m.MessageID == "" {
		add("messageId", "is empty")
	}
	switch m.SenderType {
	case EndUser, ExternalUser, HumanAgent, Supervisor, VirtualAgent:
	default:
		add("senderType", "is "+strconv.Quote(string(m.SenderType))+": must be END_USER, EXTERNAL_USER, HUMAN_AGENT, SUPERVISOR or VIRTUAL_AGENT")
	}
	if m.Content == "" {
		add("content", "is empty")
	}
	return faults
}

// appendString appends s as a JSON string. It exists beside encoding/json
// because it appends, and because that package also escapes <, > and &.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0 // of what is not appended yet
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				dst = append(dst, s[start:i]...)
				switch c {
				case '"', '\\':
					dst = append(dst, '\\', c)
				case '\n':
					dst = append(dst, '\\', 'n')
				case '\r':
					dst = append(dst, '\\', 'r')
				case '\t':
					dst = append(dst, '\\', 't')
				default:
					dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
				}
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
