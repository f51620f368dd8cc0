package sfclient

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Answer is what Salesforce says to transcript messages that it has accepted,
// all of them or some. Accepted is not stored: that happens later, and
// Salesforce tells nobody whether it did.
type Answer struct {
	Written  time.Time // when the request's body had been written
	Answered time.Time // when the whole answer had been read
	Limit    LimitInfo // zero: this answer does not say

	// Refused has the calls whose messages were not all accepted, each Error
	// with its VendorCallKey, in the answer's order. A call that filled two
	// entries may be in it twice.
	Refused []*Error
}

// Entry returns what was refused of a call; nil: nothing, all is accepted. Of
// two refusals of one call it returns the more hopeful, with the ids of both.
func (a *Answer) Entry(vendorCallKey string) *Error {
	var found *Error
	for _, e := range a.Refused {
		switch {
		case e.VendorCallKey != vendorCallKey:
		case found == nil:
			found = e
		default:
			found = join(found, e)
		}
	}
	return found
}

// join makes one refusal of two of the same call. Without ids the whole call is
// refused, and so it stays.
func join(a, b *Error) *Error {
	if b.Verdict() < a.Verdict() {
		a, b = b, a
	}
	both := *a
	both.IDs = nil
	if len(a.IDs) > 0 && len(b.IDs) > 0 {
		both.IDs = slices.Concat(a.IDs, b.IDs)
	}
	both.Ambiguous = a.Ambiguous || b.Ambiguous
	both.RetryAfter = max(a.RetryAfter, b.RetryAfter)
	both.verdict = a.Verdict()
	return &both
}

// accepted is what a request came to that was not refused.
type accepted struct {
	answer   Answer
	fields   fields
	warnings []string // the org's words in spite of success
	whole    bool     // the answer accepts everything, and names no call
}

// fields are the endpoints' own, of which each has some.
type fields struct {
	VoiceCallID, Status, Queue, Agent string
}

// judge turns an answer into success or an *Error: by its status, then by what
// its body says. A 2xx alone proves nothing.
func judge(r request, rep reply) (*accepted, *Error) {
	s := read(rep.body)
	ok := &accepted{
		answer:   Answer{Written: rep.written, Answered: rep.answered},
		warnings: s.messages,
	}
	if !r.isTranscript() {
		ok.fields = readFields(s.fields)
	}
	if r.isTranscript() && len(s.entries) > 0 && rep.cut == nil && (rep.status/100 == 2 || rep.status == http.StatusBadRequest) {
		refused, e := perCall(r, rep, s)
		ok.answer.Refused = refused
		return ok, e
	}
	if rep.status/100 == 2 && rep.cut == nil && s.accepts(r.endpoint, ok.fields) {
		ok.whole = len(s.entries) == 0
		return ok, nil
	}
	return nil, refusal(r, rep, s)
}

// accepts reports whether a body under a 2xx says that the request is accepted.
// Where the envelope is missing, the endpoint's own result must be there.
func (s statement) accepts(endpoint string, f fields) bool {
	said := s.success != nil && *s.success
	silent := s.success == nil
	clean := len(s.messages) == 0
	switch endpoint {
	case EndpointCreateVoiceCall:
		// Errors in custom fields do not undo the call that was created.
		return f.VoiceCallID != ""
	case EndpointUpdateVoiceCall, EndpointClearRouting:
		return clean && (said || silent && f.Status != "")
	case EndpointExecuteOmniFlow:
		return clean && (said || silent && (f.Queue != "" || f.Agent != ""))
	default:
		whole := strings.EqualFold(s.result, "Accepted")
		return clean && !containsFold(s.result, multiStatus) && (said || silent && whole)
	}
}

// yes remembers the body of an answer that accepted a whole transcript request.
// An org says yes in the same words every time: to compare them costs nothing,
// to understand them sixty allocations.
type yes struct{ body atomic.Pointer[[]byte] }

// judge is judge, the function, for transcript requests.
func (y *yes) judge(r request, rep reply) (*accepted, *Error) {
	plain := rep.status/100 == 2 && rep.cut == nil
	if known := y.body.Load(); plain && known != nil && bytes.Equal(*known, rep.body) {
		return &accepted{answer: Answer{Written: rep.written, Answered: rep.answered}, whole: true}, nil
	}
	ok, e := judge(r, rep)
	if plain && e == nil && ok.whole {
		body := rep.body
		y.body.Store(&body)
	}
	return ok, e
}

// refusal is the *Error of a whole request that was answered, but not accepted.
func refusal(r request, rep reply, s statement) *Error {
	e := &Error{
		Endpoint:   r.endpoint,
		Status:     rep.status,
		Code:       s.code,
		Messages:   s.messages,
		RetryAfter: retryAfter(rep.header.Get("Retry-After"), rep.answered),
		Written:    rep.written,
		cause:      rep.cut,
		foreign:    !s.known,
		single:     r.messages() <= 1,
		several:    len(r.calls()) > 1,
	}
	ok := rep.status/100 == 2
	if s.result != "" && !strings.EqualFold(s.result, "Accepted") {
		e.Messages = append(slices.Clip(e.Messages), s.result)
	}
	if ok && (rep.cut != nil || !s.refuses()) {
		e.foreign = true // Whatever it says, it is neither yes nor no.
	}
	for _, m := range e.Messages {
		e.IDs = append(e.IDs, namedIDs(m)...)
	}
	switch {
	case ok && (e.foreign || s.success != nil && *s.success), rep.status == http.StatusMultiStatus,
		rep.status == http.StatusBadGateway, rep.status == http.StatusGatewayTimeout,
		!e.foreign && (e.says(multiStatus) || e.says(readTimedOut)):
		e.Ambiguous = true
	}
	return e
}

// refuses reports whether a body under a 2xx says no, at least to a part.
func (s statement) refuses() bool {
	return s.known && (s.success != nil && !*s.success || len(s.messages) > 0 || s.code != "" || containsFold(s.result, multiStatus))
}

// perCall reads an answer that has a status for each call. A call that it does
// not mention is not known to be stored: its messages go out again. A refusal
// that cannot be given to one of the request's calls refuses the request.
func perCall(r request, rep reply, s statement) ([]*Error, *Error) {
	calls := r.calls()
	// A lone call that is not named is meant all the same.
	anonymous := len(calls) == 1 && !slices.ContainsFunc(s.entries, func(entry entryStatus) bool { return entry.call == calls[0] })
	var refused []*Error
	mentioned := map[string]bool{}
	for _, entry := range s.entries {
		if anonymous {
			entry.call = calls[0]
		}
		mentioned[entry.call] = true
		switch {
		case entry.isAccepted():
		case !slices.Contains(calls, entry.call):
			s.messages, s.result = nil, multiStatus
			s.say(entry.message)
			return nil, refusal(r, rep, s)
		default:
			refused = append(refused, r.entryError(rep, entry))
		}
	}
	for _, call := range calls {
		if !mentioned[call] {
			e := r.entryError(rep, entryStatus{call: call, status: rep.status, message: "the answer does not mention this call"})
			e.Ambiguous, e.verdict = true, Retry
			refused = append(refused, e)
		}
	}
	if r.endpoint == EndpointCreateTranscriptMessage && len(refused) > 0 {
		return nil, (&Answer{Refused: refused}).Entry(calls[0])
	}
	return refused, nil
}

// isAccepted reports whether an entry tells of success, by its status or, where
// it has none, by the words that Salesforce uses then.
func (s entryStatus) isAccepted() bool {
	return s.status/100 == 2 || s.status == 0 && strings.HasPrefix(s.message, "Successfully")
}

// entryError is one call's refusal.
func (r request) entryError(rep reply, s entryStatus) *Error {
	e := &Error{
		Endpoint:      r.endpoint,
		VendorCallKey: s.call,
		Status:        s.status,
		IDs:           namedIDs(s.message),
		RetryAfter:    retryAfter(rep.header.Get("Retry-After"), rep.answered),
		Written:       rep.written,
		single:        r.messagesOf(s.call) <= 1,
	}
	if s.message != "" {
		e.Messages = []string{s.message}
	}
	e.Ambiguous = s.status == http.StatusBadGateway || s.status == http.StatusGatewayTimeout || e.says(readTimedOut)
	return e
}

// calls are the distinct vendorCallKeys of the request's entries.
func (r request) calls() []string {
	var calls []string
	for _, entry := range r.entries {
		if !slices.Contains(calls, entry.VendorCallKey) {
			calls = append(calls, entry.VendorCallKey)
		}
	}
	return calls
}

// messages counts the request's messages.
func (r request) messages() int {
	n := 0
	for _, entry := range r.entries {
		n += len(entry.Messages)
	}
	return n
}

// messagesOf counts the messages of one call.
func (r request) messagesOf(call string) int {
	n := 0
	for _, entry := range r.entries {
		if entry.VendorCallKey == call {
			n += len(entry.Messages)
		}
	}
	return n
}

// readFields reads the endpoints' own fields, as strings of whatever type.
func readFields(raw json.RawMessage) fields {
	var d document
	if len(raw) == 0 || json.Unmarshal(raw, &d) != nil {
		return fields{}
	}
	return fields{VoiceCallID: text(d.VoiceCallID), Status: text(d.Status), Queue: text(d.Queue), Agent: text(d.Agent)}
}
