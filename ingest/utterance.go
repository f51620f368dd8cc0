package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"example.com/steno/batcher/spool"
)

// utterance is one valid piece of final speech. Every door makes its messages
// into these, and a record of the spool is made of nothing else.
type utterance struct {
	start, end int64 // ms since the epoch
	speaker    speaker
	messageID  string // empty: left out
	content    string // may be part of the frame's memory: record copies it
	urgent     bool
}

// utterance validates an utterance of the stream that o opened. maxContent is
// in bytes.
func (m *message) utterance(o *opening, maxContent int) (u utterance, f *fault) {
	if u.messageID, f = name("messageId", m.messageID); f != nil {
		return u, f
	}
	if u.speaker, f = m.speaker(o); f != nil {
		return u, f
	}
	if u.start, f = either("startTime", m.startTime, "startOffset", m.startOffset, o.start); f != nil {
		return u, f
	}
	if u.end, f = either("endTime", m.endTime, "endOffset", m.endOffset, o.start); f != nil {
		return u, f
	}
	if u.end < u.start {
		return u, invalid("endTime is before startTime, by %d ms", u.start-u.end)
	}
	if u.urgent, f = flag("urgent", m.urgent, o.urgent); f != nil {
		return u, f
	}
	u.content = m.content.text
	return u, speech(m.content, maxContent)
}

// either reads a time that may be given as such or, where the stream has a
// startTime, as an offset from it. The time wins.
func either(field string, v value, offsetField string, offsetValue value, start int64) (int64, *fault) {
	if absent(v) && !absent(offsetValue) {
		return offset(offsetField, offsetValue, start)
	}
	if absent(v) {
		return 0, invalid("%s is missing", field)
	}
	return moment(field, v)
}

// speaker is who the message says, field by field before what its channel
// says. A channel's participant goes with the channel's sender type only: an
// agent's id must not end up under END_USER.
func (m *message) speaker(o *opening) (speaker, *fault) {
	if absent(m.channel) {
		return speakerOf(m.participantID, m.senderType, o.call)
	}
	called := m.channel.str()
	if m.channel.isNumber() {
		called = m.channel.text // engines count channels; `channels` can only have strings as keys
	}
	known, ok := o.channels.find(called)
	if !ok {
		return speaker{}, invalid("channel is %s, which open did not name", describe(m.channel))
	}
	participantID, senderType := m.participantID, m.senderType
	if absent(senderType) {
		senderType = given(known.senderType)
	}
	if absent(participantID) && senderType.str() == known.senderType {
		return known, nil
	}
	return speakerOf(participantID, senderType, o.call)
}

// speech checks the content. Its faults never show what it is.
func speech(v value, maxContent int) *fault {
	switch {
	case absent(v):
		return invalid("content is missing")
	case !v.isString():
		return invalid("content must be a string")
	case strings.TrimSpace(v.text) == "":
		return invalid("content is empty")
	case len(v.text) > maxContent:
		return &fault{codeTooLarge, "content is " + strconv.Itoa(len(v.text)) + " bytes long, at most " + strconv.Itoa(maxContent) + " are taken"}
	}
	return nil
}

// record is what the spool keeps of the utterance. The caller adds the seq and
// epoch where there are any.
func (u *utterance) record(o *opening, messageID string, received time.Time) *spool.Record {
	return &spool.Record{
		Org: o.id.Org, Call: o.call, Stream: o.id,
		MessageID: messageID, Speaker: u.speaker.participantID, Urgent: u.urgent,
		Spoken: time.UnixMilli(u.end), Received: received, Message: u.render(messageID),
	}
}

// render writes Salesforce's message object as canonical JSON: its six fields,
// in this order, without white space. These bytes are spliced into request
// bodies as they are.
func (u *utterance) render(messageID string) []byte {
	const names = `{"startTime":,"endTime":,"participantId":"","messageId":"","senderType":"","content":""}`
	b := make([]byte, 0, len(names)+2*13+len(u.speaker.participantID)+len(messageID)+len(u.speaker.senderType)+len(u.content)+16)
	b = append(b, `{"startTime":`...)
	b = strconv.AppendInt(b, u.start, 10)
	b = append(b, `,"endTime":`...)
	b = strconv.AppendInt(b, u.end, 10)
	b = append(b, `,"participantId":`...)
	b = appendQuoted(b, u.speaker.participantID)
	b = append(b, `,"messageId":`...)
	b = appendQuoted(b, messageID)
	b = append(b, `,"senderType":"`...)
	b = append(b, u.speaker.senderType...)
	b = append(b, `","content":`...)
	b = appendQuoted(b, u.content)
	return append(b, '}')
}

// appendQuoted writes valid UTF-8 as a JSON string, escaping only what JSON
// says must be.
func appendQuoted(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for {
		n := plain(s)
		b = append(b, s[:n]...)
		if n == len(s) {
			return append(b, '"')
		}
		switch c := s[n]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		s = s[n+1:]
	}
}

// streamMessageID names an utterance whose client gave it no message id. It
// depends on nothing but where the utterance stands, so it is the same after
// every resend and every restart.
func streamMessageID(id spool.StreamID, seq uint64) string {
	b := make([]byte, 0, 128) // on the stack, and enough for most names
	b = appendSized(b, id.Call)
	b = appendSized(b, id.ID)
	b = binary.BigEndian.AppendUint64(b, seq)
	return uuid(b)
}

// contentMessageID names an utterance that has no seq either: the same words
// of the same speaker at the same time are the same utterance.
func contentMessageID(call string, u *utterance) string {
	b := make([]byte, 0, len(call)+len(u.speaker.participantID)+len(u.content)+32)
	b = appendSized(b, call)
	b = appendSized(b, u.speaker.participantID)
	b = binary.BigEndian.AppendUint64(b, uint64(u.start))
	b = binary.BigEndian.AppendUint64(b, uint64(u.end))
	return uuid(append(b, u.content...))
}

// appendSized keeps ("a","bc") and ("ab","c") apart.
func appendSized(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// uuid hashes b into the shape of a UUID.
func uuid(b []byte) string { return uuidOf(sha256.Sum256(b)) }

// uuidOf puts a hash into the shape of a UUID of version 8, the one for ids of
// one's own making (RFC 9562).
func uuidOf(sum [sha256.Size]byte) string {
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], sum[0:4])
	hex.Encode(out[9:13], sum[4:6])
	hex.Encode(out[14:18], sum[6:8])
	hex.Encode(out[19:23], sum[8:10])
	hex.Encode(out[24:36], sum[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
