package sfclient

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Error says why a request, or one call's part of it, was not accepted.
type Error struct {
	Endpoint      string // one of the Endpoint constants
	VendorCallKey string // not empty: the fault of this call alone; the request's other calls have their own answers

	Status   int      // HTTP's, or the entry's own; 0: no answer came, or nothing was sent
	Code     string   // Salesforce's errorCode or OAuth's error; empty: the org gave none
	Messages []string // the org's own words, which may quote what was sent; of a body that is not JSON the first 200 bytes

	// IDs are the message ids that the org named as refused, as in
	// "Id(s) [msg-1, msg-2]". Where the error is one call's, its other messages
	// are accepted; where it is the whole request's, nothing is known of them.
	IDs []string

	// RetryAfter is how long the org, or the spacing of logins, asks to wait;
	// zero: it does not say. At most 24 hours; a caller may want less.
	RetryAfter time.Duration

	// Ambiguous is true when the body may have reached Salesforce and no
	// answer that decides came back: a time-out, a connection lost after
	// writing had begun, 502 or 504 from the edge, an answer that cannot be
	// understood. What is repeated then may be stored twice.
	Ambiguous bool

	Written time.Time // when the request's body had been written; zero: it was not

	cause   error   // what the network, the context or the client itself says
	verdict Verdict // set where the client found the fault itself; zero: Verdict decides
	foreign bool    // the body is of no shape that Salesforce or the wrapper uses
	single  bool    // there is one message, or one call's record, in it: nothing to split
	several bool    // the request is of several calls, and this error does not say whose it is
}

// Error says all that is known on one line. It quotes the org.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Endpoint)
	if e.VendorCallKey != "" {
		b.WriteString(": call " + strconv.Quote(e.VendorCallKey))
	}
	if e.Status != 0 {
		b.WriteString(": status " + strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		b.WriteString(": " + snippet([]byte(e.Code)))
	}
	for i, m := range e.Messages {
		if i == 3 {
			b.WriteString("; and " + strconv.Itoa(len(e.Messages)-i) + " more")
			break
		}
		b.WriteString([]string{": ", "; "}[min(i, 1)] + snippet([]byte(m)))
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the network's or the context's error; nil where the org answered.
func (e *Error) Unwrap() error { return e.cause }

// LogValue is the error without what may quote a transcript. The org's words
// are in it only where the fault is one of configuration.
func (e *Error) LogValue() slog.Value {
	v := e.Verdict()
	attrs := []slog.Attr{slog.String("endpoint", e.Endpoint), slog.String("verdict", v.String())}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Code != "" {
		attrs = append(attrs, slog.String("code", e.Code))
	}
	if e.RetryAfter != 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if e.Ambiguous {
		attrs = append(attrs, slog.Bool("ambiguous", true))
	}
	if e.cause != nil {
		attrs = append(attrs, slog.String("cause", e.cause.Error()))
	}
	if v == Hold && len(e.Messages) > 0 {
		attrs = append(attrs, slog.String("message", snippet([]byte(e.Messages[0]))))
	}
	return slog.GroupValue(attrs...)
}

// after is a copy of the error for somebody whose own request has not been
// sent because of it, and who must wait before trying again.
func (e *Error) after(wait time.Duration) *Error {
	c := *e
	c.RetryAfter, c.verdict, c.Written = wait, e.Verdict(), time.Time{}
	return &c
}

// maxSnippet bounds what is kept of a body that is not JSON, in bytes.
const maxSnippet = 200

// snippet is the beginning of a text, on one line and in valid UTF-8.
func snippet(text []byte) string {
	text = text[:min(len(text), maxSnippet)]
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "")), " ")
}
