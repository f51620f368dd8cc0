package daemon

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/sfclient/orgsim"
)

// One test for each row of the README's table of what comes back from
// Salesforce and what Steno does: through the doors, to the org's ledger. The
// row of the full disk is cmd/steno's, with the real program.

// count is a metric's value, summed over its labels.
func (r *rig) count(name string) (sum int) {
	_, scrape := r.get("/metrics")
	for line := range strings.Lines(scrape) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		var n float64
		fmt.Sscan(rest[strings.LastIndex(rest, " ")+1:], &n)
		sum += int(n)
	}
	return sum
}

// settleAll lets time pass until nothing is pending, and returns how long that
// took.
func (r *rig) settleAll(limit time.Duration) time.Duration {
	r.t.Helper()
	begin := time.Now()
	time.Sleep(10 * time.Millisecond) // what was said last is acknowledged
	for r.pipeline.spool.Account().Pending > 0 {
		time.Sleep(10 * time.Millisecond)
		if time.Since(begin) > limit {
			r.t.Fatalf("%+v after %v", r.pipeline.spool.Account(), limit)
		}
	}
	return time.Since(begin)
}

// whole checks that everything said is in the ledger, once and in order.
func (r *rig) whole(row string) {
	r.t.Helper()
	if cmp := r.arrived(); !cmp.Clean() {
		r.t.Errorf("%s: arrived %+v, want all that was said, once and in order", row, cmp)
	}
}

// steady is an org that answers after exactly 100 ms.
var steady = orgsim.Config{
	MakeCalls: true, Duplicates: orgsim.StoreTwice, ClientID: "id", ClientSecret: "hush",
	AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond},
}

// row runs one row of the table: two calls speak, the org has its faults, and
// both go on speaking meanwhile.
func row(t *testing.T, cfg orgsim.Config, test func(t *testing.T, r *rig, speak func())) {
	bubble(t, cfg, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		a, b := r.open(c, "a"), r.open(c, "b")
		speak := func() { r.say(a, "a", 2); r.say(b, "b", 2) }
		speak()
		time.Sleep(time.Second)
		test(t, r, speak)
	})
}

func TestRowAccepted(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		speak()
		r.settleAll(time.Second)
		r.whole("accepted")
		if a := r.pipeline.spool.Account(); a.Delivered != 8 || a.Accepted != 8 {
			t.Errorf("account %+v, want 8 delivered", a)
		}
	})
}

func TestRow401RenewsTheTokenOnce(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		logins := r.org.Ledger().Requests[orgsim.Token]["200"]
		r.org.ExpireTokens()
		speak()
		if took := r.settleAll(5 * time.Second); took > time.Second {
			t.Errorf("settled after %v, want no wait for a token that only had to be renewed", took)
		}
		r.whole("401")
		if n := r.org.Ledger().Requests[orgsim.Token]["200"] - logins; n != 1 {
			t.Errorf("%d logins, want one for everyone", n)
		}
		if r.count("steno_utterances_ambiguous_total") != 0 {
			t.Error("a refused token has made utterances ambiguous")
		}
	})
}

func TestRowSecond401IsAnAlarm(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.Expired}, orgsim.Fault{Kind: orgsim.Expired})
		speak()
		time.Sleep(time.Second)
		if status, body := r.get("/readyz"); status != 503 {
			t.Errorf("/readyz = %d %s after two 401 in a row, want 503", status, body)
		}
		requests := r.org.Ledger().APIRequests
		time.Sleep(2 * time.Second)
		if again := r.org.Ledger().APIRequests; again != requests {
			t.Errorf("%d requests within two seconds of the alarm: a loop", again-requests)
		}
		r.settleAll(time.Minute)
		r.whole("second 401")
		if status, _ := r.get("/readyz"); status != 200 {
			t.Errorf("/readyz = %d when the org takes us again", status)
		}
	})
}

// The gate shuts for the whole org: 5, 10, 20 s.
func TestRow429ShutsTheGate(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.TooMany}, orgsim.Fault{Kind: orgsim.Exhausted, Calls: 5}, orgsim.Fault{Kind: orgsim.TooMany})
		speak()
		took := r.settleAll(2 * time.Minute)
		if took < 35*time.Second || took > 45*time.Second {
			t.Errorf("settled after %v, want 5 + 10 + 20 s and a quarter of it at most", took)
		}
		r.whole("429")
		if n := r.count("steno_utterances_ambiguous_total"); n != 0 {
			t.Errorf("%d ambiguous repeats: a refusal is no doubt", n)
		}
	})
}

func TestRowRetryAfterIsHonouredAndCapped(t *testing.T) {
	f := func(asked, least, most time.Duration) {
		t.Helper()
		row(t, steady, func(t *testing.T, r *rig, speak func()) {
			r.org.Plan(orgsim.Fault{Kind: orgsim.TooMany, RetryAfter: asked})
			speak()
			if took := r.settleAll(time.Hour); took < least || took > most {
				t.Errorf("Retry-After %v: settled after %v, want %v to %v", asked, took, least, most)
			}
			r.whole("Retry-After")
		})
	}
	f(12*time.Second, 12*time.Second, 13*time.Second)
	f(time.Second, 5*time.Second, 7*time.Second)
	f(23*time.Hour, 5*time.Minute, 5*time.Minute+time.Second)
}

func TestRowConcurrencyIsCut(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.LongRequests})
		speak()
		if took := r.settleAll(time.Minute); took < time.Second || took > 3*time.Second {
			t.Errorf("settled after %v, want a second or so: others' requests end soon", took)
		}
		r.whole("403 concurrent")
	})
}

func TestRowTotalRequestsParks(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.TotalRequests})
		speak()
		time.Sleep(30 * time.Second)
		synctest.Wait() // nobody writes to the log meanwhile
		if !strings.Contains(r.log.String(), `"why":"parked"`) {
			t.Error("nobody was told that the day's requests are spent")
		}
		if _, body := r.get("/status.json"); !strings.Contains(body, `"trouble":"parked"`) {
			t.Errorf("/status.json does not tell: %s", body)
		}
		if took := r.settleAll(time.Hour); took < 30*time.Second {
			t.Errorf("tried again %v after 30 s, want after a minute", took)
		}
		r.whole("TotalRequests")
	})
}

func TestRow5xxAndBrokenConnections(t *testing.T) {
	for _, f := range []struct {
		fault     orgsim.Fault
		ambiguous bool
	}{
		{orgsim.Fault{Kind: orgsim.Overloaded}, false},
		{orgsim.Fault{Kind: orgsim.BadGateway}, true},
		{orgsim.Fault{Kind: orgsim.CutBefore}, true},
		{orgsim.Fault{Kind: orgsim.HTML}, true},
	} {
		row(t, steady, func(t *testing.T, r *rig, speak func()) {
			r.org.Plan(f.fault)
			speak()
			speak()
			if took := r.settleAll(time.Minute); took > 5*time.Second {
				t.Errorf("%v: settled after %v", f.fault, took)
			}
			r.whole(f.fault.String())
			if n := r.count("steno_utterances_ambiguous_total"); (n > 0) != f.ambiguous {
				t.Errorf("%v: %d ambiguous repeats", f.fault, n)
			}
		})
	}
}

// What was stored though the answer was lost comes twice, under the same id,
// and is counted.
func TestRowAmbiguousRepeatsAreCounted(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.CutAfter})
		speak()
		r.settleAll(time.Minute)
		cmp, counted := r.arrived(), r.count("steno_utterances_ambiguous_total")
		if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Duplicated == 0 || cmp.Duplicated != counted {
			t.Errorf("arrived %+v, want nothing lost and as many twice as the %d counted", cmp, counted)
		}
	})
}

func TestRowTimeOut(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.Slow, Delay: time.Minute})
		speak()
		if took := r.settleAll(2 * time.Minute); took < 30*time.Second || took > 35*time.Second {
			t.Errorf("settled after %v, want STENO_SF_TIMEOUT and a little", took)
		}
	})
}

func TestRow207EachCallByItsOwnStatus(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Pause("b", true)
		speak()
		r.settleAll(10 * time.Second)
		cmp := r.arrived()
		if cmp.Lost != 2 || cmp.OutOfOrder != 0 || cmp.Duplicated != 0 {
			t.Errorf("arrived %+v, want all of call a and none of call b", cmp)
		}
		if got := len(r.org.Ledger().Calls["a"].MessageIDs); got != 4 {
			t.Errorf("%d messages of call a, want 4", got)
		}
		if a := r.pipeline.spool.Account(); a.Rejected[reasonPaused] != 2 {
			t.Errorf("rejected %v, want 2 paused", a.Rejected)
		}
	})
}

func TestRow207NamedIDs(t *testing.T) {
	cfg := steady
	cfg.Duplicates = orgsim.Refuse
	row(t, cfg, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.CutAfter}) // the repeat is refused by its id
		speak()
		r.settleAll(time.Minute)
		r.whole("207 with ids")
		if a := r.pipeline.spool.Account(); a.Rejected[reasonInvalid] == 0 || a.Delivered+a.Rejected[reasonInvalid] != a.Accepted {
			t.Errorf("account %+v, want the named ones rejected and all others delivered", a)
		}
	})
}

func TestRow409Paused(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Hold("a", true)
		speak()
		requests := r.settleAll(10 * time.Second)
		r.org.Hold("a", false)
		speak()
		r.settleAll(10 * time.Second)
		if a := r.pipeline.spool.Account(); a.Rejected[reasonPaused] != 2 || a.Delivered != 10 || requests > time.Second {
			t.Errorf("account %+v after %v, want the two of the hold rejected at once, the rest delivered", a, requests)
		}
	})
}

func TestRowCallNotThereYet(t *testing.T) {
	cfg := steady
	cfg.MakeCalls = false
	bubble(t, cfg, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		r.org.CreateCall("known", time.Now())
		early, never, known := r.open(c, "early"), r.open(c, "never"), r.open(c, "known")
		r.say(early, "early", 3)
		r.say(never, "never", 3)
		for range 10 {
			r.say(known, "known", 1)
			time.Sleep(time.Second)
		}
		if got := len(r.org.Ledger().Calls["known"].MessageIDs); got != 10 {
			t.Errorf("%d of 10 of the known call are there while others wait", got)
		}
		r.org.CreateCall("early", time.Now().Add(-11*time.Second))
		r.settleAll(2 * time.Minute)
		if got := r.org.Ledger().Calls["early"].MessageIDs; len(got) != 3 {
			t.Errorf("%v of the early call, want its three", got)
		}
		if a := r.pipeline.spool.Account(); a.Rejected["unknown_call"] != 3 || a.Delivered != 13 {
			t.Errorf("account %+v, want the three of the call that never came rejected", a)
		}
	})
}

func TestRowSuccessFalseIsSplit(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.Refused}) // once: nothing in it is poison
		speak()
		r.settleAll(time.Minute)
		r.whole("success:false")
	})
}

// 500 that stays: what is poisoned is found, and costs nobody else anything.
func TestRow500(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		r.org.Plan(orgsim.Fault{Kind: orgsim.ApexError}, orgsim.Fault{Kind: orgsim.ApexError})
		speak()
		if took := r.settleAll(time.Minute); took > 10*time.Second {
			t.Errorf("settled after %v, want a rest or two", took)
		}
		r.whole("500")
	})
}

func TestRow403HoldsEverything(t *testing.T) {
	row(t, steady, func(t *testing.T, r *rig, speak func()) {
		for range 3 {
			r.org.Plan(orgsim.Fault{Kind: orgsim.Forbidden})
		}
		speak()
		time.Sleep(time.Second)
		if status, body := r.get("/readyz"); status != 503 || !strings.Contains(body, "salesforce_barred") {
			t.Errorf("/readyz = %d %s, want 503 and salesforce_barred", status, body)
		}
		speak()
		time.Sleep(2 * time.Second)
		if a := r.pipeline.spool.Account(); a.Pending != 8 {
			t.Errorf("account %+v, want everything held", a)
		}
		r.settleAll(5 * time.Minute)
		r.whole("403")
		if n := strings.Count(r.log.String(), `"why":"barred"`); n != 1 {
			t.Errorf("%d lines in the log about one fault of the configuration, want one", n)
		}
	})
}

// What is left of a call that Salesforce has closed is rejected as that, and
// can be told from what was never sent.
func TestRowCallHasEnded(t *testing.T) {
	cfg := steady
	cfg.RefuseEnded = true
	row(t, cfg, func(t *testing.T, r *rig, speak func()) {
		r.org.End("a")
		speak()
		r.settleAll(time.Minute)
		if a := r.pipeline.spool.Account(); a.Rejected["call_ended"] != 2 || a.Delivered != 6 {
			t.Errorf("account %+v, want the two of the closed call rejected as call_ended", a)
		}
	})
}

// An outage that outlives a call's end and grace: its words are not sent into a
// conversation that is closed.
func TestRowEndedWhileTheOrgWasAway(t *testing.T) {
	bubble(t, steady, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		a, b := r.open(c, "a"), r.open(c, "b")
		r.org.Down(orgsim.Unavailable)
		r.say(a, "a", 3)
		r.say(b, "b", 3)
		if err := a.Close(t.Context(), "end"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		r.org.Up()
		r.settleAll(time.Minute)
		if acc := r.pipeline.spool.Account(); acc.Rejected["call_ended"] != 3 || acc.Delivered != 3 {
			t.Errorf("account %+v, want what call a said rejected, what call b said delivered", acc)
		}
		if n := r.count("steno_utterances_late_total"); n != 6 {
			t.Errorf("%d counted as late, want the three that were tried after call a's end and the three old ones of call b", n)
		}
		letters := r.pipeline.spool.DeadLetters()
		var ids []spool.LetterID
		for d, err := range letters.List(t.Context(), spool.LetterFilter{Reason: "call_ended"}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, d.ID)
		}
		if n, err := letters.Retry(t.Context(), ids...); n != 3 || err != nil {
			t.Errorf("retried %d, %v, want the three letters of call a", n, err)
		}
		r.settleAll(time.Minute)
		r.whole("retried after the end")
	})
}

func TestRowFlushBeforeTheEnd(t *testing.T) {
	bubble(t, steady, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		time.Sleep(time.Second) // the token is there
		a := r.open(c, "a")
		r.say(a, "a", 3)
		begin := time.Now()
		if err := a.Close(t.Context(), "end"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.settleAll(time.Second)
		if took := time.Since(begin); took > 110*time.Millisecond {
			t.Errorf("the call's last words were settled %v after its end, want one round trip", took)
		}
		r.whole("end")
	})
}
