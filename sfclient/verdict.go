package sfclient

import (
	"net/http"
	"strings"
)

// Verdict is what to do about an answer. The values are in order, from "all is
// well" over "it may yet be" to "it is over".
type Verdict int

const (
	// Accepted: nothing is left to do. It is the verdict of a nil *Error.
	Accepted Verdict = iota + 1

	// Retry: the trouble is likely to pass. Send the same again, after a
	// backoff. A status of 500 that stays may be the fault of one message, an
	// Apex exception that nobody caught: after a few, go on as for Split.
	Retry

	// Renew: the token was refused, and a new one may not be asked for yet.
	// The client renews by itself, so this is seen only while logins are
	// spaced out: send the same again after RetryAfter.
	Renew

	// Crowd: the org has too many requests under way. Go on with fewer in
	// flight, after a second or a few.
	Crowd

	// Throttle: the org is asked too much in a time. Let everything to this
	// org wait 5, 10, 20 s (its rate-limit window is 30 s), at least
	// RetryAfter, and go on with fewer requests.
	Throttle

	// Park: the org's requests for the last 24 hours are used up. Let
	// everything wait for minutes, and tell somebody.
	Park

	// Missing: Salesforce does not know the call, perhaps not yet. Let this
	// call wait up to a grace; others are not concerned.
	Missing

	// Hold: the configuration is wrong: permission, host, package, secret,
	// certificate. Nothing will be accepted before somebody has mended it:
	// keep everything, tell somebody, try one request now and then.
	Hold

	// Split: something in the request is refused, and the org does not say
	// what. Send halves, down to the single message.
	Split

	// Reject: this will never be accepted. With IDs, only the messages they
	// name, and whatever else was in the request goes out again; a caller who
	// finds none of its own messages among them does as for Split. Without
	// IDs, all that the error is about.
	Reject

	// Paused: the call is on hold, or its recording is paused. Salesforce does
	// not store what is said meanwhile: do not repeat it.
	Paused

	// Closed: the conversation is over. Salesforce takes no more of it here;
	// what is left can be uploaded after the call.
	Closed
)

// String is the verdict as one lower-case word, fit for a metric's label.
func (v Verdict) String() string {
	names := [...]string{
		Accepted: "accepted", Retry: "retry", Renew: "renew", Crowd: "crowd", Throttle: "throttle", Park: "park",
		Missing: "missing", Hold: "hold", Split: "split", Reject: "reject", Paused: "paused", Closed: "closed",
	}
	if v < Accepted || int(v) >= len(names) {
		return "unknown"
	}
	return names[v]
}

// Verdict decides by code where the org gave one, else by the words in its
// messages, else by status. It knows an answer to every Error.
//
// The words it knows, in this order: RESOURCE_EXHAUSTED, REQUEST_LIMIT_EXCEEDED
// and INVALID_SESSION_ID as if they were codes; then, of a JSON answer whose
// status does not already say that it is about something else, "paused",
// "conversation is closed" and "conversation has ended" (the words of both are
// guessed), "Read timed out" (the wrapper's own call to Salesforce), "not found"
// and "does not exist", "Id(s) […]" and "Multi-Status".
//
// What the error is about narrows the verdict. Where there is one message only,
// Split becomes Reject. Where there are several calls and the org does not say
// which it means, Missing, Paused and Closed become Split. And one call's error never
// stops the others: Hold becomes Reject, and Renew Retry.
func (e *Error) Verdict() Verdict {
	switch {
	case e == nil:
		return Accepted
	case e.verdict != 0:
		return e.verdict
	case e.Endpoint == EndpointToken:
		return e.loginVerdict()
	}
	v := e.byCode(e.Code)
	if v == 0 {
		v = e.byWords()
	}
	if v == 0 {
		v = e.byStatus()
	}
	return e.narrow(v)
}

// narrow fits a verdict to what the error is about.
func (e *Error) narrow(v Verdict) Verdict {
	if e.several && (v == Missing || v == Paused || v == Closed) {
		v = Split
	}
	if e.single && v == Split {
		v = Reject
	}
	if e.VendorCallKey != "" {
		switch v {
		case Hold:
			v = Reject
		case Renew:
			v = Retry
		}
	}
	return v
}

// byCode knows Salesforce's error codes; zero: not this one.
func (e *Error) byCode(code string) Verdict {
	switch code {
	case "INVALID_SESSION_ID":
		return Renew
	case "REQUEST_LIMIT_EXCEEDED":
		// "TotalRequests Limit exceeded." is the day's budget; the Concurrent…
		// limits are free again when other requests have ended.
		switch {
		case e.says("TotalRequests"):
			return Park
		case e.says("Concurrent"):
			return Crowd
		}
		return Throttle
	case "RESOURCE_EXHAUSTED":
		return Throttle
	case "LOGIN_RATE_EXCEEDED":
		return Park
	case "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "APEX_ERROR":
		return Retry
	case "JSON_PARSER_ERROR":
		return Split
	case "NOT_FOUND":
		if e.VendorCallKey != "" {
			return Missing
		}
		return Hold
	}
	return 0
}

// byWords knows a few words of the org's messages; zero: none of them.
func (e *Error) byWords() Verdict {
	for _, code := range []string{"RESOURCE_EXHAUSTED", "REQUEST_LIMIT_EXCEEDED", "INVALID_SESSION_ID"} {
		if e.says(code) {
			return e.byCode(code)
		}
	}
	// A proxy's page may hold any words, an exception's text too, and "paused"
	// beside a 429 is not about a call: none of them may cost an utterance.
	switch s := e.Status; {
	case e.foreign, s >= 500, s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusTooManyRequests:
		return 0
	case e.says("paused"):
		return Paused
	case e.says("conversation is closed"), e.says("conversation has ended"):
		return Closed
	case e.says(readTimedOut):
		return Retry
	case e.Code != "":
		return 0 // The org has a code for its trouble: its prose is less exact than the status.
	case e.says("not found"), e.says("does not exist"), e.VendorCallKey != "" && e.Status == http.StatusNotFound:
		return Missing // Before the ids: waiting loses nothing, and a call that never comes is given up all the same.
	case len(e.IDs) > 0:
		return Reject
	case e.says(multiStatus):
		return Split
	}
	return 0
}

const (
	// readTimedOut is what Apex says when a callout, here the wrapper's own to
	// Salesforce's telephony service, has had no answer in time.
	readTimedOut = "Read timed out"

	// multiStatus begins the result of a request that was accepted in part.
	multiStatus = "Multi-Status"
)

// says reports whether one of the messages holds the words, in any case.
func (e *Error) says(words string) bool {
	for _, m := range e.Messages {
		if containsFold(m, words) {
			return true
		}
	}
	return false
}

// containsFold reports whether words, which are ASCII, are in text.
func containsFold(text, words string) bool {
	for i := 0; i+len(words) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(words)], words) {
			return true
		}
	}
	return false
}

// byStatus knows every status.
func (e *Error) byStatus() Verdict {
	switch s := e.Status; {
	case s == 0:
		return Retry
	case s < 200:
		return Retry
	case s < 300 && e.foreign:
		return Retry
	case s < 300:
		return Split
	case s < 400:
		return Hold // A redirect leads away from the org.
	case s == http.StatusConflict:
		return Paused
	case s == http.StatusNotFound && e.VendorCallKey != "":
		return Missing
	case s == http.StatusBadRequest && len(e.IDs) > 0:
		return Reject
	}
	return e.byRefusal()
}

// byRefusal knows every status from 400 on of a whole request.
func (e *Error) byRefusal() Verdict {
	switch s := e.Status; s {
	case http.StatusUnauthorized:
		return Renew
	case http.StatusTooManyRequests:
		return Throttle
	case http.StatusRequestTimeout, statusNoRoute:
		return Retry
	case http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired,
		http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, // The last four would be bugs of ours,
		http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge: // and lose nothing while held.
		return Hold
	default:
		if s >= 500 {
			return Retry
		}
		return Split
	}
}

// statusNoRoute is Salesforce Edge's own: it has no routing information for
// the host. The host came from Salesforce itself, so this should pass.
const statusNoRoute = 420

// loginVerdict is Verdict for a token request. Every refusal of a login is a
// matter of configuration, unless the org says that it is busy.
func (e *Error) loginVerdict() Verdict {
	switch s := e.Status; {
	case e.Code == "LOGIN_RATE_EXCEEDED", e.says("LOGIN_RATE_EXCEEDED"):
		return Park
	case e.Code == "REQUEST_LIMIT_EXCEEDED", e.says("REQUEST_LIMIT_EXCEEDED"):
		return e.byCode("REQUEST_LIMIT_EXCEEDED")
	case e.Code == "temporarily_unavailable", e.Code == "server_error":
		return Retry
	case s == http.StatusTooManyRequests:
		return Throttle
	case s < 300, s == http.StatusRequestTimeout, s >= 500:
		return Retry
	}
	return Hold
}
