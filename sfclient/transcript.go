package sfclient

import (
	"context"
	"fmt"
	"strconv"
)

// Salesforce's limits on one createBulkTranscriptMessages.
const (
	MaxEntries  = 5 // voice calls a request
	MaxMessages = 5 // messages an entry
)

// Entry is one call's messages in a bulk request, in the order of utterance.
// Salesforce asks for one participant an entry, to keep that order.
type Entry struct {
	VendorCallKey string    `json:"vendorCallKey"` // of the conversation's first call in the telephony system; never a Salesforce id
	Messages      []Message `json:"messages"`
}

// RawEntry is an Entry whose messages are rendered already, each as one JSON
// object that begins with its brace: what Message.Append makes. SendBulk keeps
// none of them.
type RawEntry struct {
	VendorCallKey string
	Messages      [][]byte
}

// CreateTranscriptMessage sends one message. Its fields are checked before
// anything goes out. The wrapper names the key voiceCallId here; it is the
// vendorCallKey of the conversation's first call all the same.
func (c *Client) CreateTranscriptMessage(ctx context.Context, vendorCallKey string, m Message) (*Answer, error) {
	faults := m.faults("")
	if vendorCallKey == "" {
		faults = append(faults, "vendorCallKey is empty")
	}
	if len(faults) > 0 {
		return nil, rejected(EndpointCreateTranscriptMessage, faults)
	}
	return c.SendMessage(ctx, vendorCallKey, m.Append(nil))
}

// CreateBulkTranscriptMessages sends up to 5 entries of up to 5 messages each.
// All fields are checked before anything goes out. A nil error means that the
// answer tells of each call: see Answer.Entry.
func (c *Client) CreateBulkTranscriptMessages(ctx context.Context, entries []Entry) (*Answer, error) {
	var faults []string
	raw := make([]RawEntry, len(entries))
	for i, entry := range entries {
		place := "entries[" + strconv.Itoa(i) + "]."
		if entry.VendorCallKey == "" {
			faults = append(faults, place+"vendorCallKey is empty")
		}
		raw[i].VendorCallKey = entry.VendorCallKey
		for j, m := range entry.Messages {
			faults = append(faults, m.faults(place+"messages["+strconv.Itoa(j)+"].")...)
			raw[i].Messages = append(raw[i].Messages, m.Append(nil))
		}
	}
	if faults = append(countFaults(raw), faults...); len(faults) > 0 {
		return nil, rejected(EndpointCreateBulkTranscriptMessages, faults)
	}
	return c.SendBulk(ctx, raw)
}

// SendMessage is CreateTranscriptMessage for a message that is rendered
// already. Beyond its first brace the message is not looked at.
func (c *Client) SendMessage(ctx context.Context, vendorCallKey string, message []byte) (*Answer, error) {
	entries := []RawEntry{{VendorCallKey: vendorCallKey, Messages: [][]byte{message}}}
	if faults := countFaults(entries); len(faults) > 0 {
		return nil, rejected(EndpointCreateTranscriptMessage, faults)
	}
	return c.sendTranscript(ctx, request{
		endpoint: EndpointCreateTranscriptMessage,
		body:     c.messageBody(vendorCallKey, message),
		entries:  entries,
	})
}

// SendBulk is CreateBulkTranscriptMessages for messages that are rendered
// already. Only their number is checked, and that each begins with a brace.
func (c *Client) SendBulk(ctx context.Context, entries []RawEntry) (*Answer, error) {
	if faults := countFaults(entries); len(faults) > 0 {
		return nil, rejected(EndpointCreateBulkTranscriptMessages, faults)
	}
	return c.sendTranscript(ctx, request{
		endpoint: EndpointCreateBulkTranscriptMessages,
		body:     c.bulkBody(entries),
		entries:  entries,
	})
}

// sendTranscript keeps a nil *Error from becoming an error that is not nil.
func (c *Client) sendTranscript(ctx context.Context, r request) (*Answer, error) {
	ok, e := c.send(ctx, r)
	if e != nil {
		return nil, e
	}
	return &ok.answer, nil
}

// countFaults checks the limits, and what splicing relies on.
func countFaults(entries []RawEntry) []string {
	var faults []string
	if n := len(entries); n < 1 || n > MaxEntries {
		faults = append(faults, fmt.Sprintf("entries has %d: must have 1 to %d", n, MaxEntries))
	}
	for i, entry := range entries {
		if n := len(entry.Messages); n < 1 || n > MaxMessages {
			faults = append(faults, fmt.Sprintf("entries[%d].messages has %d: must have 1 to %d", i, n, MaxMessages))
		}
		for j, m := range entry.Messages {
			if len(m) < len("{}") || m[0] != '{' {
				faults = append(faults, fmt.Sprintf("entries[%d].messages[%d] is not a JSON object", i, j))
			}
		}
	}
	return faults
}

// rejected is the error of a request that was never sent.
func rejected(endpoint string, faults []string) *Error {
	return &Error{Endpoint: endpoint, Messages: faults, verdict: Reject}
}

// appendNames begins a body: an object, still open, with the two names that
// every request carries.
func appendNames(dst []byte, callCenter, cert string) []byte {
	dst = append(dst, `{"callCenterDevName":`...)
	dst = appendString(dst, callCenter)
	dst = append(dst, `,"certDevName":`...)
	return appendString(dst, cert)
}

// spliced continues the body that appendNames began with a rendered object's
// own fields.
func spliced(dst, object []byte) []byte {
	if object[1] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, object[1:]...)
}

// messageBody is createTranscriptMessage's body: the message's fields stand
// flat beside the names and the key.
func (c *Client) messageBody(vendorCallKey string, message []byte) []byte {
	const field = `,"voiceCallId":`
	body := make([]byte, 0, len(c.names)+len(field)+len(vendorCallKey)+len(message)+8)
	body = append(body, c.names...)
	body = append(body, field...)
	body = appendString(body, vendorCallKey)
	return spliced(body, message)
}

// bulkBody is createBulkTranscriptMessages' body, spliced from the messages'
// bytes in one allocation.
func (c *Client) bulkBody(entries []RawEntry) []byte {
	const open, key, messages = `,"entries":[`, `{"vendorCallKey":`, `,"messages":[`
	size := len(c.names) + len(open) + len("]}")
	for _, entry := range entries {
		size += len(key) + len(entry.VendorCallKey) + len(messages) + len(`"",]}`)
		for _, m := range entry.Messages {
			size += len(m) + len(",")
		}
	}
	body := append(make([]byte, 0, size), c.names...)
	body = append(body, open...)
	for i, entry := range entries {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, key...)
		body = appendString(body, entry.VendorCallKey)
		body = append(body, messages...)
		for j, m := range entry.Messages {
			if j > 0 {
				body = append(body, ',')
			}
			body = append(body, m...)
		}
		body = append(body, "]}"...)
	}
	return append(body, "]}"...)
}
