package sfclient_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient"
)

// ask sends two calls of two messages each to an org that answers so.
func ask(t *testing.T, status int, body string) (*sfclient.Answer, error) {
	t.Helper()
	o := &org{answer: say(status, body)}
	return direct(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2), raw("call-2", 2)})
}

// Every way in which a request may be said to be accepted, and none that is not.
func TestWhatCountsAsAccepted(t *testing.T) {
	f := func(status int, body string, want bool) {
		t.Helper()
		answer, err := ask(t, status, body)
		if got := err == nil && len(answer.Refused) == 0; got != want {
			t.Errorf("status %d, body %s: accepted %t (%v), want %t", status, body, got, err, want)
		}
	}
	f(200, accepted, true)
	f(201, accepted, true)
	f(200, " \n"+accepted+"\n", true)
	f(202, `{"result":"Accepted"}`, true)
	f(200, `"{\"data\":{\"result\":\"Accepted\"},\"errors\":null,\"success\":true}"`, true)
	f(200, `{"data":"{\"result\":\"Accepted\"}","errors":null}`, true)
	f(200, `{"data":null,"errors":null,"success":true}`, true) // data.result is missing
	f(200, `{"data":{},"errors":[],"success":true}`, true)
	f(200, `{"data":{"result":"Accepted"},"errors":[],"success":"true"}`, true)
	f(200, `{"data":{"result":"Accepted"},"errors":""}`, true)

	f(400, accepted, false)
	f(500, accepted, false)
	f(200, `{"data":{"result":"Accepted"},"errors":null,"success":false}`, false)
	f(200, `{"data":{"result":"Accepted"},"errors":["a field"],"success":true}`, false)
	f(200, `{"data":{"result":"Accepted"},"errors":"a field","success":true}`, false)
	f(200, `{"data":{"result":"Accepted"},"errors":{"message":"a field"},"success":true}`, false)
	f(200, `{"data":{"result":"Multi-Status: A few"},"errors":null,"success":true}`, false)
	f(200, `{"result":"Perhaps"}`, false)
	f(200, `{"data":{"result":"Accepted"}`, false)
	f(200, `[{"message":"m","errorCode":"C"}]`, false)
	f(200, `Accepted`, false)
	f(200, `"Accepted"`, false)
	f(200, `{}`, false)
	f(200, `[]`, false)
	f(200, `null`, false)
	f(204, ``, false)
}

// What the org says is kept, from every shape.
func TestWordsOfARefusal(t *testing.T) {
	f := func(body, code string, messages ...string) {
		t.Helper()
		_, err := ask(t, 400, body)
		if e := typed(t, err); e.Code != code || !slices.Equal(e.Messages, messages) {
			t.Errorf("body %s: code %q, messages %q; want %q, %q", body, e.Code, e.Messages, code, messages)
		}
	}
	f(`{"data":null,"errors":["one","two"],"success":false}`, "", "one", "two")
	f(`{"data":null,"errors":"one","success":false}`, "", "one")
	f(`{"data":null,"errors":[{"message":"one","errorCode":"CODE"}],"success":false}`, "CODE", "one")
	f(`{"data":null,"errors":{"message":"one","errorCode":"CODE"},"success":false}`, "CODE", "one")
	f(`{"data":null,"errors":{"content":"too long"},"success":false}`, "", `{"content":"too long"}`)
	f(`{"data":null,"errors":[null,"",7],"success":false}`, "", "7")
	f(`{"data":null,"errors":["[{\"message\":\"one\",\"errorCode\":\"CODE\"}]"],"success":false}`, "CODE", "one")
	f(`[{"message":"one","errorCode":"CODE","fields":[]},{"message":"two"}]`, "CODE", "one", "two")
	f(`{"error":"invalid_client","error_description":"one"}`, "invalid_client", "one")
	f(`{"timestamp":"x","status":400,"error":"Bad Request","message":"one"}`, "", "one", "Bad Request")
	f("<html>\n  <b>no</b>\x00\xff</html>", "", "<html> <b>no</b>\x00</html>")
	f(strings.Repeat("x", 1000), "", strings.Repeat("x", 200))
	f(``, "")
	f(`{"data":null,"errors":null,"success":false}`, "")
	f(`[[[[[[[[[[{"message":"one"}]]]]]]]]]]`, "", `[[[[[[[[[[{"message":"one"}]]]]]]]]]]`)
	f(strings.Repeat("[", 5000)+strings.Repeat("]", 5000), "", strings.Repeat("[", 200))
}

// The ids that the org names are parsed out of its prose.
func TestIDs(t *testing.T) {
	f := func(message string, want ...string) {
		t.Helper()
		_, err := ask(t, 400, fmt.Sprintf(`{"data":null,"errors":[%q],"success":false}`, message))
		if got := typed(t, err).IDs; !slices.Equal(got, want) {
			t.Errorf("message %q: ids %q, want %q", message, got, want)
		}
	}
	f("Error Processing Transcript with Id(s) [msg-1]. Error: x", "msg-1")
	f("Id(s) [msg-1, msg-2,msg-3 ] and Id(s) [msg-4]", "msg-1", "msg-2", "msg-3", "msg-4")
	f("Id(s) []")
	f("Id(s) [msg-1")
	f("no ids")
}

// Each call has its own answer, and what is known of it.
func TestEntry(t *testing.T) {
	answer, err := ask(t, 207, `{"result":"Multi-Status","errorResponse":{"errorResponseEntries":[
		{"vendorCallKey":"call-1","status":202,"message":"Successfully Processed Transcripts"},
		{"vendorCallKey":"call-2","status":"400","message":"`+exhausted+`"}]}}`)
	if err != nil {
		t.Fatalf("SendBulk = %v", err)
	}
	if e := answer.Entry("call-1"); e != nil {
		t.Errorf("call-1 = %v, want accepted", e)
	}
	e := answer.Entry("call-2")
	if e == nil || e.Status != 400 || e.VendorCallKey != "call-2" || !slices.Equal(e.IDs, []string{"msg-1"}) || !slices.Equal(e.Messages, []string{exhausted}) {
		t.Errorf("call-2 = %+v, want status 400, msg-1 and the org's words", e)
	}
	if len(answer.Refused) != 1 || answer.Entry("call-3") != nil {
		t.Errorf("Refused = %v, want call-2 alone", answer.Refused)
	}
}

// A call that the answer leaves out is not known to be stored.
func TestEntryNotMentioned(t *testing.T) {
	answer, err := ask(t, 207, entry(202, "Successfully"))
	if err != nil {
		t.Fatalf("SendBulk = %v", err)
	}
	if e := answer.Entry("call-2"); e.Verdict() != sfclient.Retry || !e.Ambiguous || answer.Entry("call-1") != nil {
		t.Errorf("call-2 = %v, verdict %v; want retry, ambiguous; and call-1 accepted", e, e.Verdict())
	}
}

// A refusal of nobody knows whom refuses the request, unless there is one call.
func TestEntryOfNobody(t *testing.T) {
	body := strings.ReplaceAll(entry(400, "bad"), `"call-1"`, `"other"`)
	_, err := ask(t, 207, body)
	if e := typed(t, err); e.Verdict() != sfclient.Split || !e.Ambiguous {
		t.Errorf("two calls: %v, verdict %v, ambiguous %t; want split, ambiguous", e, e.Verdict(), e.Ambiguous)
	}
	o := &org{answer: say(207, body)}
	answer, err := direct(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)})
	if err != nil || answer.Entry("call-1").Verdict() != sfclient.Reject {
		t.Errorf("one call: %v, %v; want its message rejected", answer, err)
	}
	stranger := `{"errorResponse":{"errorResponseEntries":[{"vendorCallKey":"call-1","status":202},{"vendorCallKey":"other","status":409,"message":"paused"}]}}`
	_, err = direct(t, &org{answer: say(207, stranger)}).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2)})
	if e := typed(t, err); e.VendorCallKey != "" || !e.Ambiguous {
		t.Errorf("one call and a stranger: %v, ambiguous %t; want the request refused, ambiguous", e, e.Ambiguous)
	}
}

// A call may fill two entries of a request, and have two refusals: none of
// their ids may be taken for accepted.
func TestEntryTwice(t *testing.T) {
	f := func(first, second string, want sfclient.Verdict, ids ...string) {
		t.Helper()
		body := `{"errorResponse":{"errorResponseEntries":[{"vendorCallKey":"call-1",` + first + `},{"vendorCallKey":"call-1",` + second + `}]}}`
		o := &org{answer: say(207, body)}
		answer, err := direct(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 5), raw("call-1", 5)})
		if err != nil {
			t.Fatalf("SendBulk = %v", err)
		}
		e := answer.Entry("call-1")
		slices.Sort(e.IDs)
		if e.Verdict() != want || !slices.Equal(e.IDs, ids) || len(answer.Refused) != 2 {
			t.Errorf("%s, %s: verdict %v, ids %q, %d refused; want %v, %q, 2", first, second, e.Verdict(), e.IDs, len(answer.Refused), want, ids)
		}
	}
	f(`"status":400,"message":"Id(s) [m-1]"`, `"status":400,"message":"Id(s) [m-2]"`, sfclient.Reject, "m-1", "m-2")
	f(`"status":409,"message":"paused Id(s) [m-1]"`, `"status":400,"message":"Id(s) [m-2] RESOURCE_EXHAUSTED"`, sfclient.Throttle, "m-1", "m-2")
	f(`"status":400,"message":"Id(s) [m-1]"`, `"status":503,"message":""`, sfclient.Retry)
	f(`"status":400,"message":"Id(s) [m-1]"`, `"status":400,"message":"bad"`, sfclient.Split)
}

// The single endpoint's only call has no answer apart from the request's.
func TestEntryOfTheSingleEndpoint(t *testing.T) {
	o := &org{answer: say(207, entry(409, "Transcription paused for participant"))}
	answer, err := direct(t, o).SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
	if e := typed(t, err); answer != nil || e.Verdict() != sfclient.Paused {
		t.Errorf("SendMessage = %v, %v; want an error, paused", answer, err)
	}
}

// An answer knows its times.
func TestAnswerTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: slowly(2*time.Second, say(200, accepted))}
		start := time.Now()
		answer, err := connected(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)})
		if err != nil {
			t.Fatalf("SendBulk = %v", err)
		}
		if !answer.Written.Equal(start) || answer.Answered.Sub(start) != 2*time.Second {
			t.Errorf("written after %v, answered after %v; want 0s, 2s", answer.Written.Sub(start), answer.Answered.Sub(start))
		}
	})
}

// FuzzAnswer holds what must be so whatever comes back: no panic, a verdict,
// nobody else's calls, and nothing accepted without a word for it.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		accepted, `{"result":"Accepted"}`, entry(409, "paused"), entry(202, ""), exhausted, "", "<html>", "[]", `"x"`,
		`{"data":null,"errors":["one",{"message":2},[3]],"success":false}`, `[{"message":"m","errorCode":"NOT_FOUND"}]`,
		`{"error":"invalid_client","error_description":"x"}`, `{"data":"{\"errorResponse\":{\"errorResponseEntries\":[{}]}}","success":true}`,
		`{"errors":"{\"errors\":\"{\\\"errors\\\":\\\"x\\\"}\"}"}`,
	} {
		for _, status := range []int{200, 207, 400, 404} {
			f.Add(status, body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip("net/http lets no other status through")
		}
		answer, err := ask(t, status, body)
		if (answer == nil) == (err == nil) {
			t.Fatalf("answer %v and error %v", answer, err)
		}
		if err != nil {
			if e := typed(t, err); e.Verdict() <= sfclient.Accepted || e.Verdict() > sfclient.Paused || e.Error() == "" {
				t.Fatalf("verdict %v of %v", e.Verdict(), e)
			}
			return
		}
		if len(answer.Refused) == 0 && !saysYes(body) {
			t.Fatalf("status %d, body %q is accepted", status, body)
		}
		for _, e := range answer.Refused {
			if e.VendorCallKey != "call-1" && e.VendorCallKey != "call-2" || e.Verdict() <= sfclient.Accepted || answer.Entry(e.VendorCallKey) == nil {
				t.Fatalf("refused %v, verdict %v", e, e.Verdict())
			}
		}
	})
}

// saysYes reports whether a body has any word that stands for acceptance, which
// JSON may have escaped, or written with a long s.
func saysYes(body string) bool {
	body = strings.ToLower(strings.ReplaceAll(body, "ſ", "s"))
	return slices.ContainsFunc([]string{"success", "accepted", "status", `\u`}, func(word string) bool { return strings.Contains(body, word) })
}
