package daemon

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/sfclient"
)

// request is what the batcher would send: "a[m1 m2] b[m3]".
func request(text string) batcher.Request {
	var r batcher.Request
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "] ", "]|"), "|") {
		call, ids, _ := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		e := batcher.Entry{Call: call}
		for _, id := range strings.Fields(ids) {
			e.Utterances = append(e.Utterances, &batcher.Utterance{Record: &spool.Record{MessageID: id, Message: []byte(`{"messageId":"` + id + `"}`)}})
		}
		r.Entries = append(r.Entries, e)
	}
	return r
}

// TestOutcomes gives the sender each kind of answer and reads what it makes of
// it: each entry's verdict, and what it says of the org.
func TestOutcomes(t *testing.T) {
	var status int
	var body string
	mux := http.NewServeMux()
	org := httptest.NewServer(mux)
	defer org.Close()
	mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"access_token":"t","instance_url":%q}`, org.URL)
	})
	mux.HandleFunc("POST /services/apexrest/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	})
	client, err := sfclient.New(sfclient.Config{LoginURL: org.URL, ClientID: "i", ClientSecret: "s", CallCenter: "c", Cert: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	set := metrics.NewSet()
	sender := newSender(client, set)
	f := func(sent string, answerStatus int, answer string, want string) {
		t.Helper()
		status, body = answerStatus, answer
		r := request(sent)
		o := sender.Send(t.Context(), r)
		if got := tell(o); got != want {
			t.Errorf("%s answered with %d %s: %s, want %s", sent, answerStatus, answer, got, want)
		}
		if len(o.Results) != len(r.Entries) {
			t.Errorf("%d results for %d entries", len(o.Results), len(r.Entries))
		}
	}
	f("a[m1 m2] b[m3]", 200, `{"data":{"result":"Accepted"},"errors":null,"success":true}`, "deliver deliver none")
	multi := `{"result":"Multi-Status: A few messages were not processed","errorResponse":{"errorResponseEntries":[
		{"vendorCallKey":"a","status":202,"message":"Successfully Processed Transcripts"},
		{"vendorCallKey":"b","status":%d,"message":"%s"}]}}`
	f("a[m1 m2] b[m3 m4]", 207, fmt.Sprintf(multi, 400, "Error Processing Transcript with Id(s) [m4]. Error: RESOURCE_EXHAUSTED"), "deliver retry[m4] throttled")
	f("a[m1 m2] b[m3]", 207, fmt.Sprintf(multi, 409, "Transcription paused for participant"), "deliver reject:paused none")
	f("a[m1 m2] b[m3]", 207, fmt.Sprintf(multi, 404, "no such call"), "deliver notyet none")
	f("a[m1] b[m3 m4]", 207, fmt.Sprintf(multi, 400, "Error Processing Transcript with Id(s) [m3]. Error: bad"), "deliver reject:invalid[m3] none")
	f("a[m1 m2] b[m3]", 400, `{"data":null,"errors":["Error Processing Transcript with Id(s) [m2]. Error: bad"],"success":false}`, "reject:invalid[m2]+retry? retry? none")
	f("a[m1 m2] b[m3]", 400, `{"data":null,"errors":["Error Processing Transcript with Id(s) [who]. Error: bad"],"success":false}`, "suspect? suspect? none")
	f("a[m1 m2] b[m3]", 200, `{"data":null,"errors":["something"],"success":false}`, "suspect? suspect? none")
	f("a[m1] b[m3]", 429, ``, "retry retry throttled")
	f("a[m1]", 403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`, "retry parked")
	f("a[m1]", 403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentPerOrgLongTxn Limit exceeded."}]`, "retry crowded")
	f("a[m1]", 200, `{"data":null,"errors":["the conversation is closed"],"success":false}`, "reject:call_ended none")
	f("a[m1]", 403, `[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`, "retry barred")
	f("a[m1]", 503, ``, "retry down")
	f("a[m1]", 502, ``, "retry? down")
	f("a[m1]", 500, `[{"errorCode":"APEX_ERROR","message":"x"}]`, "doubt none") // perhaps this request's own doing
	f("a[m1]", 200, `<html>`, "retry? down")

	status, body = 207, fmt.Sprintf(multi, 400, "Error Processing Transcript with Id(s) [m3]. Error: bad")
	o := sender.Send(t.Context(), request("a[m1] b[m3]"))
	if got := o.Results[1].Words; o.Results[0].Words != "" || got != "400: Error Processing Transcript with Id(s) [m3]. Error: bad" {
		t.Errorf("the words of the accepted call are %q, of the refused one %q", o.Results[0].Words, got)
	}
	status, body = 400, `{"data":null,"errors":["Id(s) [who]","and more"],"success":false}`
	o = sender.Send(t.Context(), request("a[m1] b[m3]"))
	if got := o.Results[0].Words; got != "400: Id(s) [who]; and more" || got != o.Results[1].Words {
		t.Errorf("the words of a refused request are %q", got)
	}

	var out strings.Builder
	set.WritePrometheus(&out)
	for _, want := range []string{
		`steno_requests_total{endpoint="createBulkTranscriptMessages",outcome="accepted"} 1`,
		`steno_requests_total{endpoint="createBulkTranscriptMessages",outcome="partial"} 5`,
		`steno_requests_total{endpoint="createBulkTranscriptMessages",outcome="throttle"} 1`,
	} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// tell is an outcome in short: a word for each entry, "?" where it may have
// been stored all the same, and one for the org.
func tell(o batcher.Outcome) string {
	verdicts := map[batcher.Verdict]string{batcher.Deliver: "deliver", batcher.Reject: "reject", batcher.Retry: "retry", batcher.NotYet: "notyet", batcher.Doubt: "doubt", batcher.Suspect: "suspect"}
	var words []string
	for _, r := range o.Results {
		word := verdicts[r.Verdict]
		if r.Reason != "" {
			word += ":" + r.Reason
		}
		if len(r.Only) > 0 {
			word += "[" + strings.Join(slices.Sorted(slices.Values(r.Only)), " ") + "]"
		}
		if r.Others != 0 {
			word += "+" + verdicts[r.Others]
		}
		if r.Ambiguous {
			word += "?"
		}
		words = append(words, word)
	}
	return strings.Join(append(words, o.Trouble.String()), " ")
}
