package sfclient_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/steno/sfclient"
)

// exhausted is Salesforce's own wording of a refused entry.
const exhausted = "Error Processing Transcript with Id(s) [msg-1]. Error: io.grpc.StatusRuntimeException: RESOURCE_EXHAUSTED: Rate limit exceeded"

// asked is the request that an answer is judged for: which endpoint, and how
// many calls of two messages.
type asked int

const (
	bulk  asked = iota // three calls
	alone              // one call
	one                // createTranscriptMessage
	login              // the token request
)

// native207 is the native answer to a request that was accepted in part.
const native207 = `{"result":"Multi-Status: A few messages were not processed","errorResponse":{"errorResponseEntries":[
	{"vendorCallKey":"call-1","status":202,"message":"Successfully Processed Transcripts"},
	{"vendorCallKey":"call-2","status":400,"message":"` + exhausted + `"},
	{"vendorCallKey":"call-3","status":409,"message":"Transcription paused for participant"}]}}`

// envelope is the wrapper's refusal.
func envelope(errors string) string { return `{"data":null,"errors":` + errors + `,"success":false}` }

// array is Salesforce's own refusal.
func array(code, message string) string {
	return fmt.Sprintf(`[{"message":%q,"errorCode":%q}]`, message, code)
}

// knownAnswers has each row of the reference's lists of answers. "§" cites the
// Salesforce reference of this project: 1.5 the bulk endpoint, 1.7 the wrapper,
// 2.3 the core REST errors, 2.5 OAuth.
var knownAnswers = []struct {
	cite   string
	asked  asked
	status int
	body   string
	want   string // the whole request's verdict, or each call's
}{
	{"§1.5 202 Accepted", bulk, 202, `{"result":"Accepted"}`, "accepted"},
	{"§1.5 207 per call", bulk, 207, native207, "accepted throttle paused"},
	{"§1.5 429 whole request", bulk, 429, ``, "throttle"},
	{"§1.5 429 whole request, JSON", bulk, 429, `{"message":"Rate limit"}`, "throttle"},
	{"§1.5 404 whole request", bulk, 404, ``, "hold"},
	{"§1.5 404 of the call, by the wrapper", one, 404, envelope(`["Voice call not found"]`), "missing"},
	{"§1.5 404 of a call, of three", bulk, 404, envelope(`["Voice call not found"]`), "split"},
	{"§1.5 404 entry that names ids", alone, 207, entry(404, "Error Processing Transcript with Id(s) [msg-1]. Error: no such call"), "missing"},
	{"§1.7 words: not found, with ids", alone, 207, entry(400, "Error Processing Transcript with Id(s) [msg-1]. Error: VoiceCall not found"), "missing"},
	{"§1.5 404 entry", alone, 207, entry(404, "no such call"), "missing"},

	{"§1.7 accepted", bulk, 200, accepted, "accepted"},
	{"§1.7 success:false under 200", bulk, 200, envelope(`["Error message 1","Error message 2"]`), "split"},
	{"§1.7 success:false under 400", bulk, 400, envelope(`["Error message 1"]`), "split"},
	{"§1.7 success:false, one message", one, 200, envelope(`["Error message 1"]`), "reject"},
	{"§1.7 success:false, no errors", bulk, 200, envelope(`null`), "split"},
	{"§1.7 wrong host", bulk, 401, array("INVALID_SESSION_ID", "Session expired or invalid"), "hold"},
	{"§1.7 words: RESOURCE_EXHAUSTED", bulk, 200, envelope(`["` + exhausted + `"]`), "throttle"},
	{"§1.7 words: paused", alone, 200, envelope(`["Transcription paused for participant"]`), "paused"},
	{"§1.7 words: paused, which of three", bulk, 200, envelope(`["Transcription paused for participant"]`), "split"},
	{"§3 words: closed", alone, 200, envelope(`["Error Processing Transcript with Id(s) [msg-1]. Error: the conversation is closed"]`), "closed"},
	{"§3 words: closed, which of three", bulk, 200, envelope(`["the conversation has ended"]`), "split"},
	{"§1.7 words: Id(s)", bulk, 200, envelope(`["Error Processing Transcript with Id(s) [msg-1, msg-2]. Error: bad"]`), "reject"},
	{"§1.7 words: Id(s) under 400", bulk, 400, envelope(`["Error Processing Transcript with Id(s) [msg-1]. Error: bad"]`), "reject"},
	{"§1.7 207 inside the envelope", bulk, 200, `{"data":` + native207 + `,"errors":null,"success":true}`, "accepted throttle paused"},
	{"§1.7 207 as an errors string", bulk, 200, envelope(`[` + fmt.Sprintf("%q", oneLine(native207)) + `]`), "accepted throttle paused"},
	{"§1.7 207 under 400", bulk, 400, native207, "accepted throttle paused"},
	{"§1.7 207 without entries", bulk, 207, `{"result":"Multi-Status: A few messages were not processed"}`, "split"},
	{"§1.7 429 by the wrapper", bulk, 429, envelope(`["Too many requests"]`), "throttle"},
	{"§1.7 the wrapper's own call timed out", one, 200, envelope(`["System.CalloutException: Read timed out"]`), "retry"},
	{"§1.7 HTML", bulk, 200, `<html>Sorry, not found, paused</html>`, "retry"},
	{"§1.7 plain text", bulk, 200, `OK`, "retry"},
	{"§1.7 nothing", bulk, 200, ``, "retry"},

	{"§2.3 400 JSON_PARSER_ERROR", bulk, 400, array("JSON_PARSER_ERROR", "Expected , but found } at [line:6, column:25]"), "split"},
	{"§2.3 400 JSON_PARSER_ERROR, one message", one, 400, array("JSON_PARSER_ERROR", "Expected ,"), "reject"},
	{"§2.3 401 without a body", bulk, 401, ``, "hold"},
	{"§2.3 403 TotalRequests", bulk, 403, array("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), "park"},
	{"§2.3 403 ConcurrentPerOrgLongTxn", bulk, 403, array("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), "crowd"},
	{"§2.3 403 ConcurrentRequests", bulk, 403, array("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), "crowd"},
	{"§2.3 403 REQUEST_LIMIT_EXCEEDED by the wrapper", bulk, 403, envelope(`["REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded."]`), "park"},
	{"§2.3 403 other", bulk, 403, array("INSUFFICIENT_ACCESS", "You do not have access to the Apex class: paused"), "hold"},
	{"§2.3 404 NOT_FOUND", one, 404, array("NOT_FOUND", "The requested resource does not exist"), "hold"},
	{"§2.3 404 HTML", one, 404, `<html>Not Found</html>`, "hold"},
	{"§2.3 405", bulk, 405, array("METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed"), "hold"},
	{"§2.3 415", bulk, 415, array("UNSUPPORTED_MEDIA_TYPE", "Content-Type header specified in HTTP request is not supported"), "hold"},
	{"§2.3 409", alone, 409, ``, "paused"},
	{"§2.3 409 of three calls", bulk, 409, ``, "split"},
	{"§2.3 414", bulk, 414, ``, "hold"},
	{"§2.3 431", bulk, 431, ``, "hold"},
	{"§2.3 420", bulk, 420, ``, "retry"},
	{"§2.3 429", bulk, 429, `<html>slow down</html>`, "throttle"},
	{"§2.3 500 APEX_ERROR", bulk, 500, array("APEX_ERROR", "System.NullPointerException: not found, paused"), "retry"},
	{"§2.3 500 other", bulk, 500, `paused`, "retry"},
	{"§2.3 502", bulk, 502, `<html>Bad Gateway</html>`, "retry"},
	{"§2.3 503", bulk, 503, ``, "retry"},
	{"§2.3 503 SERVER_UNAVAILABLE", bulk, 503, array("SERVER_UNAVAILABLE", "Server is too busy"), "retry"},
	{"504", bulk, 504, ``, "retry"},
	{"413", bulk, 413, ``, "split"},
	{"302", bulk, 302, ``, "hold"},

	{"§2.5 form wanted", login, 400, `{"error":"unsupported_grant_type","error_description":"grant type not supported"}`, "hold"},
	{"§2.5 bad secret", login, 400, `{"error":"invalid_client","error_description":"invalid client credentials"}`, "hold"},
	{"§2.5 no run-as user", login, 400, `{"error":"invalid_grant","error_description":"no client credentials user enabled"}`, "hold"},
	{"§2.5 login rate", login, 403, `{"error":"LOGIN_RATE_EXCEEDED","error_description":"wait"}`, "park"},
	{"§2.5 login rate, array", login, 403, array("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), "park"},
	{"§2.5 busy", login, 503, `<html>maintenance</html>`, "retry"},
	{"§2.5 429", login, 429, ``, "throttle"},
	{"§2.5 420", login, 420, ``, "hold"},
	{"§2.5 a page in place of a token", login, 200, `<html>login</html>`, "retry"},
	{"§2.5 no access_token", login, 200, `{}`, "retry"},
	{"§2.5 wrong instance_url", login, 200, `{"access_token":"t","instance_url":"https://abc-123.lightning.force.com"}`, "hold"},
}

func TestVerdictOfEveryKnownAnswer(t *testing.T) {
	for _, row := range knownAnswers {
		t.Run(row.cite, func(t *testing.T) {
			if got := verdicts(t, row.asked, row.status, row.body); got != row.want {
				t.Errorf("status %d, body %s: verdict %s, want %s", row.status, row.body, got, row.want)
			}
		})
	}
}

// entry is a 207 whose only entry, call-1, has a status and a message.
func entry(status int, message string) string {
	return fmt.Sprintf(`{"result":"Multi-Status","errorResponse":{"errorResponseEntries":[{"vendorCallKey":"call-1","status":%d,"message":%q}]}}`, status, message)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// verdicts asks an org that answers so, and returns the verdict, or where the
// answer is per call one for each.
func verdicts(t *testing.T, what asked, status int, body string) string {
	t.Helper()
	o := &org{answer: say(status, body)}
	entries := []sfclient.RawEntry{raw("call-1", 2), raw("call-2", 2), raw("call-3", 2)}
	if what == login {
		o.answer, o.login = nil, say(status, body)
	}
	if what == alone {
		entries = entries[:1]
	}
	client := direct(t, o)
	var answer *sfclient.Answer
	var err error
	if what == one {
		answer, err = client.SendMessage(t.Context(), "call-1", entries[0].Messages[0])
	} else {
		answer, err = client.SendBulk(t.Context(), entries)
	}
	if err != nil {
		return typed(t, err).Verdict().String()
	}
	if len(answer.Refused) == 0 {
		return answer.Entry("call-1").Verdict().String()
	}
	var list []string
	for _, e := range entries {
		list = append(list, answer.Entry(e.VendorCallKey).Verdict().String())
	}
	return strings.Join(list, " ")
}

// An entry's error concerns one call, so it never stops the others.
func TestVerdictOfOneCall(t *testing.T) {
	f := func(status int, message string, want sfclient.Verdict) {
		t.Helper()
		o := &org{answer: say(207, entry(status, message))}
		answer, err := direct(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2)})
		if err != nil {
			t.Fatalf("SendBulk = %v", err)
		}
		if got := answer.Entry("call-1").Verdict(); got != want {
			t.Errorf("entry %d %q: verdict %v, want %v", status, message, got, want)
		}
	}
	f(202, "Successfully Processed Transcripts", sfclient.Accepted)
	f(200, "", sfclient.Accepted)
	f(0, "Successfully Processed Transcripts", sfclient.Accepted)
	f(0, "who knows", sfclient.Retry)
	f(400, exhausted, sfclient.Throttle)
	f(400, "Error Processing Transcript with Id(s) [msg-2]. Error: bad", sfclient.Reject)
	f(400, "something is wrong", sfclient.Split)
	f(401, "", sfclient.Retry)
	f(400, "INVALID_SESSION_ID", sfclient.Retry)
	f(403, "", sfclient.Reject)
	f(404, "", sfclient.Missing)
	f(400, "Voice call does not exist", sfclient.Missing)
	f(409, "", sfclient.Paused)
	f(400, "Transcription PAUSED for participant", sfclient.Paused)
	f(429, "", sfclient.Throttle)
	f(500, "call not found", sfclient.Retry)
	f(503, "", sfclient.Retry)
}

// Verdict is total, also for an Error that somebody else has made.
func TestVerdictIsTotal(t *testing.T) {
	if got := (*sfclient.Error)(nil).Verdict(); got != sfclient.Accepted {
		t.Errorf("nil Error: verdict %v, want accepted", got)
	}
	for _, endpoint := range []string{"", sfclient.EndpointToken, sfclient.EndpointClearRouting} {
		for status := -1; status < 700; status++ {
			for _, key := range []string{"", "call-1"} {
				e := &sfclient.Error{Endpoint: endpoint, Status: status, VendorCallKey: key}
				if v := e.Verdict(); v <= sfclient.Accepted || v > sfclient.Paused {
					t.Fatalf("Verdict(%+v) = %v, want one other than accepted", e, v)
				}
			}
		}
	}
	for v := sfclient.Accepted; v <= sfclient.Paused; v++ {
		if s := v.String(); s == "" || s == "unknown" {
			t.Errorf("Verdict %d has no name", v)
		}
	}
	if got := sfclient.Verdict(0).String() + sfclient.Verdict(99).String(); got != "unknownunknown" {
		t.Errorf("names of no verdict: %q", got)
	}
}

// Ambiguous tells what nobody can know from what was surely refused.
func TestAmbiguousAnswers(t *testing.T) {
	f := func(status int, body string, want bool) {
		t.Helper()
		o := &org{answer: say(status, body)}
		_, err := direct(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2), raw("call-2", 1)})
		if got := typed(t, err).Ambiguous; got != want {
			t.Errorf("status %d, body %s: ambiguous %t, want %t", status, body, got, want)
		}
	}
	f(http.StatusBadGateway, "", true)
	f(http.StatusGatewayTimeout, "", true)
	f(http.StatusServiceUnavailable, "", false)
	f(http.StatusInternalServerError, "", false)
	f(http.StatusTooManyRequests, "", false)
	f(http.StatusBadRequest, "", false)
	f(200, "", true)
	f(204, "", true)
	f(200, "<html>", true)
	f(200, `{"data":null,"errors":["no"],"success":false}`, false)
	f(200, `{"data":null,"errors":["Read timed out"],"success":false}`, true)
	f(200, `{"data":{"result":"Multi-Status: A few"},"errors":null,"success":true}`, true)
	f(200, `{"data":{"result":"Accepted"},"errors":["but"],"success":true}`, true)
	f(207, `{"data":null,"errors":["some"],"success":false}`, true)
}
