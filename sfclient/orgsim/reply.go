package orgsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// reply is what goes back to the client.
type reply struct {
	status     int
	html       bool
	body       []byte
	retryAfter time.Duration
	usage      string // Sforce-Limit-Info; empty: not sent
	cut        bool   // no answer: the connection is cut
	refusal    string // why not, for the log; never transcript text
}

func (rep reply) write(w http.ResponseWriter) {
	if rep.cut {
		panic(http.ErrAbortHandler) // the documented way to cut a connection
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	if rep.html {
		h.Set("Content-Type", "text/html;charset=UTF-8")
	}
	if rep.usage != "" {
		h.Set("Sforce-Limit-Info", rep.usage)
	}
	if rep.retryAfter > 0 {
		seconds := (rep.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // a client that has gone hears nothing
}

// outcome is how the ledger counts a reply: its status, or "cut".
func (rep reply) outcome() string {
	if rep.cut {
		return "cut"
	}
	return strconv.Itoa(rep.status)
}

func jsonReply(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic("BUG: an answer does not encode: " + err.Error())
	}
	return reply{status: status, body: body}
}

// envelope is the wrapper's answer: a success where data is not nil.
func envelope(status int, data any, errors []string) reply {
	rep := jsonReply(status, struct {
		Data    any      `json:"data"`
		Errors  []string `json:"errors"`
		Success bool     `json:"success"`
	}{data, errors, data != nil})
	if len(errors) > 0 {
		rep.refusal = errors[0]
	}
	return rep
}

// problem is the platform's answer, from before the wrapper is reached: an
// array of one error.
func problem(status int, code, message string) reply {
	rep := jsonReply(status, []struct {
		Message string `json:"message"`
		Code    string `json:"errorCode"`
	}{{message, code}})
	rep.refusal = message
	return rep
}

// page is an answer for people.
func page(status int, text string) reply {
	return reply{status: status, html: true, refusal: text,
		body: fmt.Appendf(nil, "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%[1]s</h1></body></html>", text)}
}

func sessionExpired() reply {
	return problem(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

func overBudget() reply {
	return problem(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
}

func tooMany(retryAfter time.Duration) reply {
	rep := envelope(429, nil, []string{"Rate limit exceeded"})
	rep.retryAfter = retryAfter
	return rep
}

// broken tells that a request as a whole breaks rules, in the org's style.
func (o *Org) broken(status int, errors ...string) reply {
	if o.cfg.Refusal == Envelope200 {
		status = 200
	} else if o.cfg.Refusal == Envelope400 {
		status = 400
	}
	return envelope(status, nil, errors)
}
