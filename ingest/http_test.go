package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
	"github.com/VictoriaMetrics/metrics"
)

// post posts a body and returns the status, the answer and Retry-After.
func (r *rig) post(path, body string, headers ...string) (status int, answer, retryAfter string) {
	r.t.Helper()
	q, err := http.NewRequest("POST", "http://steno"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	client := r.net.Client()
	defer client.CloseIdleConnections()
	response, err := client.Do(q)
	if err != nil {
		r.t.Fatalf("POST %s: %v", path, err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(b)), response.Header.Get("Retry-After")
}

const (
	door  = "/v1/calls/b09955ce/utterances"
	hello = `{"senderType":"END_USER","startTime":1573503300000,"endTime":1573503300900,"content":"Hello"}`
	reply = `{"senderType":"HUMAN_AGENT","participantId":"005xx","messageId":"m-2","startTime":1573503301000,"endTime":1573503302000,"content":"Good morning","urgent":true}`
)

// Protocol: "`POST /v1/calls/{vendorCallKey}/utterances` native utterances over
// HTTP: one object or an array; 202 with {"acked":n} once safe."
func TestPost(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		want := func(body, answer string) {
			t.Helper()
			if status, got, _ := r.post(door, body); status != http.StatusAccepted || got != answer {
				t.Errorf("POST %s: %d %s, want 202 %s", body, status, got, answer)
			}
		}
		want(hello, `{"acked":1}`)
		want(`[`+hello+`,`+reply+`]`, `{"acked":2}`) // hello is known by its words and times
		want(`[`+reply+`,`+reply+`]`, `{"acked":2}`)
		want(`[]`, `{"acked":0}`)
		records := r.stored()
		if len(records) != 2 {
			t.Fatalf("stored %d, want 2", len(records))
		}
		first, second := records[0], records[1]
		if first.Call != "b09955ce" || first.Stream.ID != "" || first.Seq != 0 || first.Epoch != "" || first.Speaker != "b09955ceEND_USER" || len(first.MessageID) != 36 {
			t.Errorf("stored %+v, want an utterance of the call without a stream", first)
		}
		if second.MessageID != "m-2" || !second.Urgent || second.Speaker != "005xx" {
			t.Errorf("stored %+v, want what was posted", second)
		}
		r.wantMetric("steno_utterances_duplicate_total", "3")
	})
}

// A message id is accepted once in a call, whatever the door.
func TestPostAndStreamShareMessageIDs(t *testing.T) {
	run(t, ingest.Config{Resume: time.Minute}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "b09955ce"), say("a", 1, `"messageId":"m-2"`))
		c.expect(opened("a", 0), ack("a", 1))
		if status, _, _ := r.post(door, reply); status != 202 {
			t.Errorf("%d, want 202", status)
		}
		r.wantStored("a/1")
		time.Sleep(time.Minute)
		synctest.Wait() // what is forgotten at this instant is
		r.post(door, reply)
		r.wantStored("/0")
	})
}

// Protocol: "400 with a reason". All or none: one bad utterance, and none is
// taken.
func TestPostRefused(t *testing.T) {
	run(t, ingest.Config{Org: "acme", MaxContent: 100}, func(r *rig) {
		want := func(path, body string, code, text string) {
			t.Helper()
			status, answer, _ := r.post(path, body)
			var got struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				t.Fatalf("%s: %v", answer, err)
			}
			if status != 400 || got.Error.Code != code || got.Error.Message != text {
				t.Errorf("POST %.80s: %d %s\nwant 400 %s: %s", body, status, answer, code, text)
			}
		}
		late := strings.Replace(hello, "1573503300900", "1573503299999", 1)
		want(door, `[`+hello+`,`+hello+`,`+late+`]`, "invalid", "utterances[2].endTime is before startTime, by 1 ms")
		want(door, late, "invalid", "endTime is before startTime, by 1 ms")
		want(door, ``, "invalid", "the body is not JSON")
		want(door, `{"content":`, "invalid", "the body is not JSON")
		want(door, strings.Repeat("[", 1000)+strings.Repeat("]", 1000), "invalid", "the body is not JSON")
		want(door, `"hello"`, "invalid", `the body must be an object or an array of objects, is the string "hello"`)
		want(door, `[1]`, "invalid", `utterances[0] must be an object, is the number 1`)
		want(door, `{}`, "invalid", "senderType is missing")
		want(door, `{"senderType":"END_USER","startOffset":1,"endOffset":2,"content":"x"}`, "invalid", "startOffset needs the startTime of the stream, which open did not give")
		want(door, `{"channel":"1","content":"x"}`, "invalid", `channel is the string "1", which open did not name`)
		want(door, strings.Replace(hello, "Hello", strings.Repeat("x", 101), 1), "too_large", "content is 101 bytes long, at most 100 are taken")
		want(door+"?org=umbrella", hello, "unknown_org", `org is the string "umbrella", which is not configured here`)
		want(door, `[`+strings.Replace(hello, "{", `{"org":"umbrella",`, 1)+`]`, "unknown_org", `utterances[0].org is the string "umbrella", which is not configured here`)
		want("/v1/calls/%20/utterances", hello, "invalid", "vendorCallKey is missing or empty")
		want("/v1/calls//utterances", hello, "invalid", "vendorCallKey is missing or empty")
		want("/v1/calls/0LQRM0000000001/utterances", hello, "invalid", "vendorCallKey is a Salesforce voiceCallId: the telephony system's own key is wanted")
		r.wantStored("")
		if status, answer, _ := r.post("/v1/calls/a%2Fb/utterances?org=acme", hello); status != 202 {
			t.Errorf("%d %s, want 202", status, answer)
		}
		if got := r.stored(); len(got) != 1 || got[0].Call != "a/b" || got[0].Org != "acme" {
			t.Errorf("stored %+v, want one of call a/b in acme", got)
		}
	})
}

// Protocol: 401, 413, and what every HTTP server says to a wrong method.
func TestPostStatus(t *testing.T) {
	run(t, ingest.Config{Tokens: []string{"s3cret"}, MaxFrame: 1000}, func(r *rig) {
		if status, answer, _ := r.post(door, hello); status != 401 || !strings.Contains(answer, `"code":"unauthorized"`) {
			t.Errorf("without a token: %d %s, want 401", status, answer)
		}
		if status, _, _ := r.post(door, hello, "Authorization", "Bearer s3cret"); status != 202 {
			t.Errorf("with a token: %d, want 202", status)
		}
		if status, answer, _ := r.post(door, strings.Repeat(" ", 1001), "X-API-Key", "s3cret"); status != 413 || !strings.Contains(answer, `"code":"too_large"`) {
			t.Errorf("1001 bytes: %d %s, want 413", status, answer)
		}
		if status, _, _ := r.post("/v1/ingest", hello, "X-API-Key", "s3cret"); status != 405 {
			t.Errorf("POST to the WebSocket door: %d, want 405", status)
		}
	})
}

// Protocol: "503 with Retry-After": the spool does not take it, or not soon
// enough. Whoever sends again is not taken for a repeat.
func TestPostNotStored(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		type result struct {
			status      int
			text, after string
		}
		results := make(chan result, 1)
		post := func() {
			status, text, after := r.post(door, hello)
			results <- result{status, text, after}
		}
		go post()
		<-g.asked
		g.allow <- errDisk
		if got := <-results; got.status != 503 || got.after != "2" || !strings.Contains(got.text, `"code":"overloaded"`) {
			t.Errorf("a failed append: %+v, want 503 with Retry-After", got)
		}
		began := time.Now()
		go post()
		<-g.asked
		if got := <-results; got.status != 503 || time.Since(began) != 10*time.Second {
			t.Errorf("a stuck append: %+v after %v, want 503 after 10s", got, time.Since(began))
		}
		go post()
		g.pass()
		if got := <-results; got.status != 202 {
			t.Errorf("the third time: %+v, want 202", got)
		}
		r.wantMetric("steno_utterances_duplicate_total", "0")
		if got := r.stored(); len(got) != 1 {
			t.Errorf("stored %d, want 1", len(got))
		}
	})
}

// Protocol: "429": who sends without waiting for answers takes no more than a
// part of what there is. Other calls go on.
func TestPostTooManyAtOnce(t *testing.T) {
	runSlow(t, scripted, func(r *rig, g *gateSpool) {
		var waiting sync.WaitGroup
		post := func(path string, n, want int) {
			waiting.Go(func() {
				if status, text, _ := r.post(path, strings.Replace(hello, "Hello", fmt.Sprint("Hello ", n), 1)); status != want {
					t.Errorf("POST %s: %d %s, want %d", path, status, text, want)
				}
			})
			synctest.Wait()
		}
		for n := range 32 {
			post(door, n, 202)
		}
		status, text, after := r.post(door, reply)
		if status != 429 || after != "2" || !strings.Contains(text, `"code":"overloaded"`) {
			t.Errorf("the 33rd at once: %d %s, Retry-After %q, want 429 and 2", status, text, after)
		}
		if status, text, _ := r.post("/v1/ingest/script?call=b09955ce", two); status != 429 {
			t.Errorf("the 33rd at once, an engine's: %d %s, want 429", status, text)
		}
		post("/v1/calls/other/utterances", 0, 202)
		if got := len(g.collect()); got != 33 {
			t.Errorf("stored %d, want 33", got)
		}
		waiting.Wait()
		go g.pass()
		if status, text, _ := r.post(door, reply); status != 202 {
			t.Errorf("the one that was refused: %d %s, want 202", status, text)
		}
		r.wantMetric(`steno_ingest_connections_refused_total{why="busy"}`, "2")
	})
}

// A client that hangs up does not end the append under way: nobody would know
// its outcome.
func TestPostHungUp(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		ctx, hangUp := context.WithCancel(context.Background())
		q, err := http.NewRequestWithContext(ctx, "POST", "http://steno"+door, strings.NewReader(hello))
		if err != nil {
			t.Fatal(err)
		}
		client := r.net.Client()
		defer client.CloseIdleConnections()
		done := make(chan error, 1)
		go func() { _, err := client.Do(q); done <- err }()
		<-g.asked
		hangUp()
		if err := <-done; err == nil {
			t.Error("a request that was given up has an answer")
		}
		synctest.Wait()
		g.allow <- nil
		if got := r.stored(); len(got) != 1 {
			t.Errorf("stored %d, want 1", len(got))
		}
	})
}

// A drain waits for requests under way, and lets no new one in.
func TestPostInADrain(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		status := make(chan int, 1)
		go func() { s, _, _ := r.post(door, hello); status <- s }()
		<-g.asked
		drained := make(chan error, 1)
		go func() { drained <- r.server.Drain(context.Background()) }()
		synctest.Wait()
		if s, _, after := r.post(door, hello); s != 503 || after != "2" {
			t.Errorf("while draining: %d, Retry-After %q, want 503 and 2", s, after)
		}
		g.allow <- nil
		if s := <-status; s != 202 {
			t.Errorf("the request under way: %d, want 202", s)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
}

// Before the spool has said what was before, clients wait for a moment, then
// are told to come again.
func TestStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ingest.New(ingest.Config{}, spool.NewMemory(), metrics.NewSet(), slog.New(slog.DiscardHandler))
		r := &rig{t: t, server: s}
		began := time.Now()
		if status, after := r.direct(hello); status != 503 || after != "2" || time.Since(began) != 5*time.Second {
			t.Errorf("%d, Retry-After %q after %v, want 503 and 2 after 5s", status, after, time.Since(began))
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		time.AfterFunc(time.Second, func() { _ = s.Run(ctx) })
		if status, _ := r.direct(hello); status != 202 {
			t.Errorf("%d while it starts, want 202 once it has", status)
		}
	})
}
