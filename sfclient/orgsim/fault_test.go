package orgsim_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/bench/memnet"
	"example.com/steno/sfclient/orgsim"
)

// Each fault gives its answer, and stores or does not store what was sent.
func TestFaults(t *testing.T) {
	f := func(fault, want string, stored bool) {
		t.Helper()
		c := newClient(t, orgsim.Config{MakeCalls: true})
		plan, err := orgsim.ParsePlan(fault)
		if err != nil {
			t.Fatal(err)
		}
		c.org.Plan(plan...)
		if got := c.bulk("k m1"); !strings.HasPrefix(got.String(), want) {
			t.Errorf("%s: got %v, want %s", fault, got, want)
		}
		if got := c.stored("k") == "m1"; got != stored {
			t.Errorf("%s: stored %v, want %v", fault, got, stored)
		}
		c.want(c.bulk("k m2"), 200) // used up
	}
	f("ok", `200 {"data":{"result":"Accepted"}`, true)
	f("401", `401 [{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, false)
	f("403", `403 [{"message":"You do not have access`, false)
	f("403-total", `403 [{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`, false)
	f("403-concurrent", `403 [{"message":"ConcurrentPerOrgLongTxn Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`, false)
	f("429", `429 {"data":null`, false)
	f("500", `500 [{"message":"System.CalloutException`, false)
	f("502", `502 <!DOCTYPE html>`, false)
	f("503", `503 [{"message":`, false)
	f("success-false", `200 {"data":null,"errors":null,"success":false}`, false)
	f("207-exhausted:1", `207 {"errorResponse":{"errorResponseEntries":[{"vendorCallKey":"k","status":400,"message":"Error Processing Transcript with Id(s) [m1]. Error: io.grpc.StatusRuntimeException: RESOURCE_EXHAUSTED`, false)
	f("207-paused", `207 {"errorResponse":{"errorResponseEntries":[{"vendorCallKey":"k","status":409`, false)
	f("cut-before", `connection cut`, false)
	f("cut-after", `connection cut`, true)
	f("html", `200 <!DOCTYPE html>`, false)
}

func TestRetryAfterHeader(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	f := func(fault, want string) {
		t.Helper()
		plan, err := orgsim.ParsePlan(fault)
		if err != nil {
			t.Fatal(err)
		}
		c.org.Plan(plan...)
		if got := c.bulk("k m1").header.Get("Retry-After"); got != want {
			t.Errorf("%s: Retry-After %q, want %q", fault, got, want)
		}
	}
	f("429", "")
	f("429:90s", "90")
	f("503:1500ms", "2")
}

// A 207 names the calls that it struck, and of an exhausted call's messages
// those that are not stored: the last ones, so that order can be kept.
func TestPartialFaults(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, Seed: 5})
	c.org.Plan(orgsim.Fault{Kind: orgsim.Exhausted, Calls: 2})
	got := c.bulk("a 1 2", "b 1", "c 1", "a 3")
	c.want(got, 207, "Id(s) [1, 2, 3]", `"vendorCallKey":"b","status":400`, `"vendorCallKey":"c","status":202`)
	c.wantStored("a", "")

	for i := range 200 {
		c.org.Plan(orgsim.Fault{Kind: orgsim.Exhausted})
		key := fmt.Sprint("k", i)
		got := c.bulk(key+" 1 2 3 4", key+" 5", "l"+key+" 1")
		if got.status != 207 {
			t.Fatalf("got %v, want at least one call struck", got)
		}
		refused := strings.Join(strings.Split("1 2 3 4 5", " ")[len(strings.Fields(c.stored(key))):], ", ")
		if refused != "" && !strings.Contains(got.body, "["+refused+"]") {
			t.Fatalf("stored %q, and got %v; want the rest [%s] refused", c.stored(key), got, refused)
		}
	}
	// A single message has no 207: the call's status takes its place.
	c.org.Plan(orgsim.Fault{Kind: orgsim.PausedEntry}, orgsim.Fault{Kind: orgsim.Exhausted})
	c.want(c.post("createTranscriptMessage", single("k", "m1")), 409, causePaused)
	c.want(c.post("createTranscriptMessage", single("k", "m1")), 400, "RESOURCE_EXHAUSTED")
}

// A plan is first in first out, an endpoint's own before the general one, and
// random faults come only after it.
func TestPlanOrder(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, Faults: orgsim.Rates{{Fault: orgsim.Fault{Kind: orgsim.BadGateway}, Share: 1}}})
	c.org.Plan(orgsim.Fault{Kind: orgsim.OK}, orgsim.Fault{Kind: orgsim.ApexError})
	c.org.PlanFor(orgsim.CreateTranscriptMessage, orgsim.Fault{Kind: orgsim.Overloaded})
	c.org.PlanFor(orgsim.Token, orgsim.Fault{Kind: orgsim.OK}, orgsim.Fault{Kind: orgsim.Overloaded})
	c.want(c.bulk("k m1"), 200)
	c.want(c.post("createTranscriptMessage", single("k", "m2")), 503)
	login(t, c.org)
	c.want(c.post("createTranscriptMessage", single("k", "m2")), 500)
	c.want(c.bulk("k m3"), 502)
	c.want(c.bulk("k m3"), 502)
	c.want(c.view("POST", "/services/oauth2/token", ""), 503)
	c.wantStored("k", "m1")
}

// Two orgs of one seed treat the n-th request alike; another seed does not;
// and the rates are kept.
func TestRandomFaultsRepeat(t *testing.T) {
	rates, err := orgsim.ParseFaults("500=0.1,cut-after=0.05,207-exhausted=0.1")
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	run := func(seed uint64) (string, map[string]int) {
		c := newClient(t, orgsim.Config{MakeCalls: true, Faults: rates, Seed: seed, IDsOnly: true})
		var all strings.Builder
		counts := map[string]int{}
		for i := range n {
			got := c.bulk(fmt.Sprintf("a %d", i), fmt.Sprintf("b %d", i))
			all.WriteString(got.String())
			if counts["cut"]++; !got.cut {
				counts["cut"]--
				counts[fmt.Sprint(got.status)]++
			}
		}
		return all.String(), counts
	}
	first, counts := run(1)
	if second, _ := run(1); second != first {
		t.Error("two runs with seed 1 differ")
	}
	if other, _ := run(2); other == first {
		t.Error("seeds 1 and 2 give the same answers")
	}
	for outcome, share := range map[string]float64{"500": 0.1, "cut": 0.05, "207": 0.1, "200": 0.75} {
		if got := float64(counts[outcome]) / n; got < share*0.5 || got > share*1.5 {
			t.Errorf("%s: got a share of %v, want about %v", outcome, got, share)
		}
	}
}

// Over a real connection a cut is an error of the transport, before the
// commit and after it.
func TestCutConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true})
		client, stop := c.online()
		defer stop()
		c.org.Plan(orgsim.Fault{Kind: orgsim.CutBefore}, orgsim.Fault{Kind: orgsim.CutAfter})
		for _, id := range []string{"before", "after", "fine"} {
			resp, err := client.Do(c.remote("createBulkTranscriptMessages", bulkBody("k "+id)))
			if cut := err != nil; cut != (id != "fine") {
				t.Errorf("%s: got %v, want an error: %v", id, err, id != "fine")
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
		c.wantStored("k", "after fine")
		if got := c.org.Ledger().Requests[orgsim.CreateBulkTranscriptMessages]; fmt.Sprint(got) != "map[200:1 cut:2]" {
			t.Errorf("requests: got %v, want map[200:1 cut:2]", got)
		}
	})
}

// online serves the org on a network in memory.
func (c *client) online() (*http.Client, func()) {
	l := memnet.Listen()
	server := &http.Server{Handler: c.org}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	hc := l.Client()
	return hc, func() {
		hc.CloseIdleConnections()
		_ = server.Close()
		<-done
	}
}

func (c *client) remote(endpoint, body string) *http.Request {
	r := c.request(endpoint, body)
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", "org.my.salesforce.com"
	r.Body = io.NopCloser(strings.NewReader(body))
	return r
}

// Silent: the org takes the request and never answers; when it is back, the
// connections that waited are cut and nothing of theirs is stored.
func TestSilentOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true})
		client, stop := c.online()
		defer stop()
		client.Timeout = 30 * time.Second
		c.org.Plan(orgsim.Fault{Kind: orgsim.OK}, orgsim.Fault{Kind: orgsim.ApexError})
		c.org.Down(orgsim.Silent)
		start := time.Now()
		if _, err := client.Do(c.remote("createBulkTranscriptMessages", bulkBody("k m1"))); err == nil || time.Since(start) != client.Timeout {
			t.Errorf("got %v after %v, want an error after %v", err, time.Since(start), client.Timeout)
		}
		time.AfterFunc(10*time.Second, c.org.Up)
		start = time.Now()
		if _, err := client.Do(c.remote("createBulkTranscriptMessages", bulkBody("k m1"))); err == nil || time.Since(start) != 10*time.Second {
			t.Errorf("got %v after %v, want an error after 10s", err, time.Since(start))
		}
		synctest.Wait()
		c.wantStored("k", "")
		// What met the outage has not used up the plan.
		c.want(c.bulk("k m1"), 200)
		c.want(c.bulk("k m2"), 500)
	})
}

func TestUnavailable(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	c.org.Down(orgsim.Unavailable)
	c.want(c.bulk("k m1"), 503, "SERVER_UNAVAILABLE")
	c.want(c.view("POST", "/services/oauth2/token", ""), 503, "SERVER_UNAVAILABLE")
	c.org.Up()
	c.want(c.bulk("k m1"), 200)
	c.org.Up() // once more is no harm
}
