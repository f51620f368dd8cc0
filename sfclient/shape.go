package sfclient

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// statement is what the body of an answer says, whatever its shape:
//
//	the wrapper's envelope   {"data":…,"errors":…,"success":…}
//	Salesforce's error array [{"message":…,"errorCode":…}]
//	the native shape         {"result":…,"errorResponse":{"errorResponseEntries":[…]}}
//	an OAuth error           {"error":…,"error_description":…}
//	anything else            HTML, plain text, nothing
//
// How the wrapper hands on what it hears from Salesforce is not documented, so
// the native shape is also looked for inside the envelope's data and errors,
// as JSON and as JSON in a string.
type statement struct {
	known    bool            // of one of the first four shapes
	success  *bool           // the envelope's own word; nil: it has none
	result   string          // "Accepted", "Multi-Status: …"
	fields   json.RawMessage // the object that an endpoint's own fields are in
	code     string
	messages []string
	entries  []entryStatus
}

// entryStatus is one element of errorResponseEntries, which lists accepted
// calls too.
type entryStatus struct {
	call    string // empty: the answer does not say
	status  int    // 0: the answer does not say
	message string
}

// maxNesting bounds how deep shapes are looked for in each other, counting
// arrays: an error array quoted in the envelope's errors needs six.
const maxNesting = 8

// read understands a body. It never fails: what it cannot read is a statement
// of a snippet.
func read(body []byte) statement {
	var s statement
	body = bytes.TrimSpace(body)
	if json.Valid(body) {
		s.value(body, maxNesting)
	}
	if !s.known {
		s = statement{}
		if text := snippet(body); text != "" {
			s.messages = []string{text}
		}
	}
	return s
}

// document has the fields of all shapes. Raw, because each of them may come
// with another type than documented.
type document struct {
	Success          json.RawMessage `json:"success"`
	Data             json.RawMessage `json:"data"`
	Errors           json.RawMessage `json:"errors"`
	Result           json.RawMessage `json:"result"`
	ErrorResponse    json.RawMessage `json:"errorResponse"`
	Entries          json.RawMessage `json:"errorResponseEntries"`
	VendorCallKey    json.RawMessage `json:"vendorCallKey"`
	Status           json.RawMessage `json:"status"`
	Message          json.RawMessage `json:"message"`
	ErrorCode        json.RawMessage `json:"errorCode"`
	Error            json.RawMessage `json:"error"`
	ErrorDescription json.RawMessage `json:"error_description"`
	VoiceCallID      json.RawMessage `json:"voiceCallId"`
	Queue            json.RawMessage `json:"queue"`
	Agent            json.RawMessage `json:"agent"`
}

// value reads a JSON value that may be any shape.
func (s *statement) value(raw json.RawMessage, nesting int) {
	raw = bytes.TrimSpace(raw)
	if nesting == 0 || len(raw) == 0 {
		return
	}
	switch raw[0] {
	case '{':
		if s.fields == nil {
			s.fields = raw
		}
		s.object(raw, nesting)
	case '[':
		s.failures(raw, nesting)
	case '"':
		// An Apex method that returns a String has its JSON quoted.
		if inner := text(raw); isJSON(inner) {
			s.value(json.RawMessage(inner), nesting-1)
		}
	}
}

// object reads the shapes that are objects, and reports whether this is one.
func (s *statement) object(raw json.RawMessage, nesting int) bool {
	var d document
	if json.Unmarshal(raw, &d) != nil {
		return false
	}
	if v, err := strconv.ParseBool(text(d.Success)); err == nil {
		s.success = &v
	}
	if d.Data != nil {
		s.fields = nil
		s.value(d.Data, nesting-1)
	}
	if d.Result != nil {
		s.result = text(d.Result)
	}
	s.value(d.ErrorResponse, nesting-1)
	s.entryList(d.Entries)
	s.failures(d.Errors, nesting-1)
	s.failure(d)
	shape := d.Success != nil || d.Data != nil || d.Errors != nil || d.Result != nil || d.ErrorResponse != nil ||
		d.Entries != nil || d.Message != nil || d.ErrorCode != nil || d.Error != nil
	s.known = s.known || shape || d.VoiceCallID != nil || d.Status != nil || d.Queue != nil || d.Agent != nil
	return shape
}

// failures reads the value of "errors", or an error array: strings, objects, or
// one of them alone.
func (s *statement) failures(raw json.RawMessage, nesting int) {
	raw = bytes.TrimSpace(raw)
	if nesting <= 0 || len(raw) == 0 {
		return
	}
	switch raw[0] {
	case '[':
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) == nil {
			for _, item := range items {
				s.failures(item, nesting-1)
			}
		}
	case '{':
		var d document
		if json.Unmarshal(raw, &d) == nil && d.VendorCallKey != nil {
			s.known = true
			s.entry(d)
		} else if !s.object(raw, nesting-1) && len(raw) > len("{}") {
			s.say(snippet(raw))
		}
	default:
		message := text(raw)
		if isJSON(message) {
			s.failures(json.RawMessage(message), nesting-1)
		} else {
			s.say(message)
		}
	}
}

// failure reads what an object says about its own error.
func (s *statement) failure(d document) {
	if code := text(d.ErrorCode); code != "" {
		s.code = code
	}
	s.say(text(d.Message))
	// OAuth's "error" is a code, other servers' is prose.
	switch word := text(d.Error); {
	case word == "":
	case s.code == "" && !strings.Contains(word, " "):
		s.code = word
	default:
		s.say(word)
	}
	s.say(text(d.ErrorDescription))
}

// entryList reads errorResponseEntries.
func (s *statement) entryList(raw json.RawMessage) {
	var items []document
	if json.Unmarshal(raw, &items) == nil {
		for _, item := range items {
			s.entry(item)
		}
	}
}

// entry reads one entry's own status.
func (s *statement) entry(d document) {
	status, _ := strconv.Atoi(text(d.Status))
	s.entries = append(s.entries, entryStatus{call: text(d.VendorCallKey), status: status, message: text(d.Message)})
}

// say adds a message.
func (s *statement) say(message string) {
	if message != "" {
		s.known = true
		s.messages = append(s.messages, message)
	}
}

// text is a JSON string's value, or any other scalar as it stands; empty for
// null, absent, objects and arrays.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return ""
	}
	return string(raw)
}

// isJSON reports whether a string holds an object or an array.
func isJSON(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s))
}

// namedIDs returns the ids in every "Id(s) [msg-1, msg-2]" of a message.
func namedIDs(message string) []string {
	var ids []string
	for {
		_, rest, ok := strings.Cut(message, "Id(s) [")
		if !ok {
			return ids
		}
		list, after, ok := strings.Cut(rest, "]")
		if !ok {
			return ids
		}
		for id := range strings.SplitSeq(list, ",") {
			if id = strings.TrimSpace(id); id != "" {
				ids = append(ids, id)
			}
		}
		message = after
	}
}
