package daemon

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/steno/cmd/steno/monitor"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// status asks for /status.json.
func (r *rig) status() (s Status) {
	r.t.Helper()
	_, body := r.get("/status.json")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		r.t.Fatalf("%v: %s", err, body)
	}
	return s
}

// sayOf sends one utterance whose speech ended so long ago, by a clock that is
// off by as much.
func (r *rig) sayOf(s *client.Stream, ago time.Duration) {
	end := time.Now().Add(-ago).UnixMilli()
	if _, err := s.Send(r.t.Context(), client.Utterance{Channel: "0", StartTime: end - 900, EndTime: end, Content: "secret words"}); err != nil {
		r.t.Fatal(err)
	}
}

func stageOf(v monitor.View, name string) monitor.StageShown {
	for _, s := range v.Stages {
		if s.Name == name {
			return s
		}
	}
	return monitor.StageShown{}
}

var exact = orgsim.Config{MakeCalls: true, AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond}, DailyLimit: 1000, LimitInfo: true}

func TestMonitorSaysWhereTheTimeGoes(t *testing.T) {
	bubble(t, exact, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		time.Sleep(time.Second)
		r.sayOf(s, 400*time.Millisecond)
		time.Sleep(2 * time.Second)
		status := r.status()
		for name, want := range map[string]float64{"engine": .4, "spool": 0, "company": .2, "lane": 0, "held": 0, "salesforce": .1} {
			if got := stageOf(status.Monitor, name).Mean; got != want {
				t.Errorf("%s took %v s, want %v", name, got, want)
			}
		}
		if v := status.Monitor.Verdict; v.State != monitor.Fine {
			t.Errorf("the verdict is %+v, want fine", v)
		}
		if l := status.Monitor.Latency.Now; l.Count != 1 || l.P95 < .65 || l.P95 > .8 {
			t.Errorf("latency now %+v, want one of 0.7 s", l)
		}
		if len(status.Requests) != 1 || status.Requests[0] != (Requests{"createBulkTranscriptMessages", "accepted", 1}) {
			t.Errorf("requests are %+v, want one bulk request accepted", status.Requests)
		}
		_, scrape := r.get("/metrics")
		for name, want := range map[string]string{
			`steno_stage_seconds_sum{stage="company"}`:                       "0.2",
			`steno_console_latency_seconds_count{org="",dialect="steno.v1"}`: "1",
			`steno_engine_skew_seconds{dialect="steno.v1"}`:                  "0",
			`steno_calls_one_sided`:                                          "0",
		} {
			if got := metric(scrape, name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		time.Sleep(10 * time.Second) // the pace is looked at every so often, when something happens
		r.sayOf(s, 0)
		time.Sleep(time.Second)
		if b := r.status().Budget; !b.Known || b.Max != 1000 || b.Used < 1 || b.Left < 700 {
			t.Errorf("the budget is %+v, want some of 1000 used", b)
		}
	})
}

// A bad clock reads neither as a slow console nor as a fast one.
func TestMonitorPutsClocksRight(t *testing.T) {
	for _, off := range []time.Duration{30 * time.Second, -30 * time.Second} {
		bubble(t, exact, func(t *testing.T, r *rig) {
			c, stop := r.engine()
			defer stop()
			s := r.open(c, "a")
			time.Sleep(time.Second)
			r.sayOf(s, off+400*time.Millisecond)
			time.Sleep(time.Second)
			v := r.status().Monitor
			if got := v.Engines[0].Skew; got < off.Seconds()-1 || got > off.Seconds()+1 {
				t.Errorf("the clock is %v s behind, want about %v", got, off)
			}
			if v.Verdict.State != monitor.Fine || v.Latency.Now.P95 > 1.5 {
				t.Errorf("verdict %+v, p95 %v s: the clock's error is not the agents' wait", v.Verdict, v.Latency.Now.P95)
			}
		})
	}
}

// While Salesforce answers nothing at all, nothing is accepted, and the page
// says within two seconds where everything is.
func TestMonitorShowsWhatWaits(t *testing.T) {
	bubble(t, exact, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 1)
		time.Sleep(time.Second)
		r.org.Down(orgsim.Silent)
		r.say(s, "a", 3)
		time.Sleep(2 * time.Second)
		if got := stageOf(r.status().Monitor, "salesforce"); got.Inside == 0 || got.Longest < 1.5 {
			t.Errorf("two seconds into the silence at Salesforce are %+v, want some, nearly 2 s old", got)
		}
		r.say(s, "a", 1)
		time.Sleep(500 * time.Millisecond)
		if got := stageOf(r.status().Monitor, "lane"); got.Inside != 1 {
			t.Errorf("%d wait for the lane, want 1", got.Inside)
		}
		time.Sleep(3 * time.Second)
		if v := r.status().Monitor.Verdict; v.State != monitor.Late || v.Stage != "salesforce" {
			t.Errorf("the verdict is %+v, want late, at salesforce", v)
		}
		r.org.Up()
		time.Sleep(40 * time.Second)
	})
}

// What is said is nowhere unless it is asked for; who may see calls is decided
// by who asks.
func TestMonitorKeepsToItself(t *testing.T) {
	said := func(r *rig) (stop func()) {
		c, stop := r.engine()
		s := r.open(c, "a")
		r.say(s, "a", 2)
		s.Partial(client.Partial{Channel: "0", Content: "secret partial"})
		time.Sleep(2 * time.Second)
		return stop
	}
	bubble(t, exact, func(t *testing.T, r *rig) {
		defer said(r)()
		for _, path := range []string{"/status.json", "/monitor/call?key=a", "/monitor/calls?q=a"} {
			status, body := r.get(path)
			if status != http.StatusOK || !strings.Contains(body, `"a"`) || strings.Contains(body, "secret") {
				t.Errorf("%s: %d %.400s: want the call, and none of its words", path, status, body)
			}
		}
		if _, body := r.getWith("/status.json", "Origin", "http://evil.example"); strings.Contains(body, `"vendorCallKey"`) {
			t.Errorf("/status.json tells a foreign page of calls: %s", body)
		}
		for _, path := range []string{"/monitor/call?key=a", "/monitor/calls?q=", "/monitor/events"} {
			if status, _ := r.getWith(path, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
				t.Errorf("%s for a foreign page: %d, want 403", path, status)
			}
		}
	})
	bubble(t, exact, func(t *testing.T, r *rig) {
		defer said(r)()
		_, body := r.get("/monitor/call?key=a")
		if !strings.Contains(body, "the secret words of a/2") {
			t.Errorf("STENO_MONITOR_TEXT=on shows %s", body)
		}
	}, "STENO_MONITOR_TEXT=on")
}

func TestMonitorRemembersRejections(t *testing.T) {
	paused, err := orgsim.ParseFaults("207-paused=1:1")
	if err != nil {
		t.Fatal(err)
	}
	cfg := exact
	cfg.Faults = paused
	bubble(t, cfg, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		r.say(r.open(c, "a"), "a", 1)
		time.Sleep(time.Second)
		v := r.status().Monitor
		if len(v.Rejected) != 1 || v.Rejected[0].Call != "a" || v.Rejected[0].Reason != "paused" {
			t.Errorf("rejected are %+v, want one of call a, paused", v.Rejected)
		}
		r.want["a"] = nil
	})
}
