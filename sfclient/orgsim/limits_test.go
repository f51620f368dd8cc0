package orgsim_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient/orgsim"
)

// Salesforce: so many API requests in a rolling 24 hours, past them 403
// TotalRequests; Sforce-Limit-Info tells how many are used.
func TestDailyBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, DailyLimit: 3, LimitInfo: true})
		usage := func(got answered, want string) {
			t.Helper()
			if info := got.header.Get("Sforce-Limit-Info"); info != want {
				t.Errorf("Sforce-Limit-Info %q, want %q (%v)", info, want, got)
			}
		}
		usage(c.bulk("k m1"), "api-usage=1/3")
		time.Sleep(12 * time.Hour)
		c.bulk("k m2")
		usage(c.bulk("k m3"), "api-usage=3/3")
		got := c.bulk("k m4")
		c.want(got, 403, "TotalRequests Limit exceeded.", "REQUEST_LIMIT_EXCEEDED")
		usage(got, "api-usage=3/3")
		time.Sleep(12*time.Hour + 2*time.Minute) // the first one is a day old
		usage(c.bulk("k m4"), "api-usage=3/3")
		c.want(c.bulk("k m5"), 403)
		c.wantStored("k", "m1 m2 m3 m4")
		if got := c.org.Ledger().APIRequests; got != 4 {
			t.Errorf("API requests: got %d, want 4", got)
		}
	})
}

// What the wrapper never saw is not one of the day's requests; what it
// answered badly is.
func TestWhatCounts(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, DailyLimit: 100})
	f := func(fault orgsim.Kind, want uint64) {
		t.Helper()
		before := c.org.Ledger().APIRequests
		c.org.Plan(orgsim.Fault{Kind: fault})
		c.bulk("k m1")
		if got := c.org.Ledger().APIRequests - before; got != want {
			t.Errorf("%s: counts as %d requests, want %d", fault, got, want)
		}
	}
	for _, fault := range []orgsim.Kind{
		orgsim.OK, orgsim.Forbidden, orgsim.TooMany, orgsim.ApexError, orgsim.Refused,
		orgsim.Exhausted, orgsim.PausedEntry, orgsim.Slow, orgsim.CutAfter,
	} {
		f(fault, 1)
	}
	for _, fault := range []orgsim.Kind{
		orgsim.Expired, orgsim.TotalRequests, orgsim.LongRequests, orgsim.BadGateway,
		orgsim.Overloaded, orgsim.CutBefore, orgsim.HTML,
	} {
		f(fault, 0)
	}
}

func TestLimitInfoOff(t *testing.T) {
	for _, cfg := range []orgsim.Config{{DailyLimit: 3}, {LimitInfo: true}} {
		c := newClient(t, cfg)
		if got := c.bulk("k m1").header.Get("Sforce-Limit-Info"); got != "" {
			t.Errorf("%+v: Sforce-Limit-Info %q, want none", cfg, got)
		}
	}
}

// The rate limit's window is 30 seconds.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, RateLimit: 2})
		c.want(c.bulk("k m1"), 200)
		c.want(c.bulk("k m2"), 200)
		c.want(c.bulk("k m3"), 429)
		c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"k"}`), 200)
		time.Sleep(29 * time.Second)
		c.want(c.bulk("k m3"), 429)
		time.Sleep(3 * time.Second)
		c.want(c.bulk("k m3"), 200)
	})
}

// Salesforce: at most 25 requests at once that last 20 s or longer.
func TestLongRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true})
		var wg sync.WaitGroup
		for i := range 25 {
			c.org.Plan(orgsim.Fault{Kind: orgsim.Slow, Delay: time.Minute})
			wg.Go(func() { c.want(c.bulk(fmt.Sprintf("k%d m1", i)), 200) })
			synctest.Wait()
		}
		time.Sleep(19 * time.Second)
		c.want(c.bulk("k m1"), 200)
		time.Sleep(2 * time.Second)
		c.want(c.bulk("k m2"), 403, "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
		wg.Wait()
		c.want(c.bulk("k m2"), 200)
		led := c.org.Ledger()
		if led.MaxInFlight != 26 || led.MaxInFlightPerCall != 1 || led.Stored != 27 {
			t.Errorf("in flight %d and %d, stored %d; want 26, 1, 27", led.MaxInFlight, led.MaxInFlightPerCall, led.Stored)
		}
	})
}

// Two requests of one call at once are no error, and are seen.
func TestInFlightPerCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, AnswerTime: orgsim.AnswerTime{Median: time.Second}})
		var wg sync.WaitGroup
		wg.Go(func() { c.bulk("k m1", "l m1", "k m2") })
		wg.Go(func() { c.bulk("k m3") })
		wg.Wait()
		c.bulk("l m2")
		led := c.org.Ledger()
		if led.MaxInFlightPerCall != 2 || led.Calls["k"].MaxInFlight != 2 || led.Calls["l"].MaxInFlight != 1 {
			t.Errorf("in flight: all %d, k %d, l %d; want 2, 2, 1",
				led.MaxInFlightPerCall, led.Calls["k"].MaxInFlight, led.Calls["l"].MaxInFlight)
		}
	})
}

// Answers take their time; what was sent is stored when it has passed, or
// when the client gives up before.
func TestAnswerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond}})
		c.org.Plan(orgsim.Fault{}, orgsim.Fault{Kind: orgsim.Slow, Delay: 2 * time.Second})
		took := func(want time.Duration, f func()) {
			t.Helper()
			start := time.Now()
			if f(); time.Since(start) != want {
				t.Errorf("took %v, want %v", time.Since(start), want)
			}
		}
		took(100*time.Millisecond, func() { c.bulk("k m1") })
		took(2100*time.Millisecond, func() { c.bulk("k m2") })
		took(40*time.Millisecond, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
			defer cancel()
			c.bulkUntil(ctx, "k m3")
		})
		c.wantStored("k", "m1 m2 m3")
		if got := c.org.Ledger().Latency; got.Messages != 3 || got.P50MS < 100 || got.P50MS > 103 || got.MaxMS != 2100 {
			t.Errorf("latency: got %+v, want 3 messages, p50 100 to 103, max 2100", got)
		}
	})
}

// Salesforce: 3,600 logins an hour.
func TestLoginRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{})
		for range 3599 {
			login(t, c.org)
		}
		r := c.formRequest("grant_type=client_credentials&client_id=a&client_secret=b")
		c.want(serve(c.org, r), 400, "LOGIN_RATE_EXCEEDED")
		time.Sleep(time.Hour + 2*time.Minute)
		login(t, c.org)
	})
}

// Tokens end on command, and after SessionTimeout without use.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, SessionTimeout: 2 * time.Hour})
		other := login(t, c.org)
		for range 3 {
			time.Sleep(90 * time.Minute)
			c.want(c.bulk("k m1"), 200)
		}
		first := c.token
		c.token = other
		c.want(c.bulk("k m1"), 401, "INVALID_SESSION_ID")
		c.token = first
		c.org.ExpireTokens()
		c.want(c.bulk("k m1"), 401, "INVALID_SESSION_ID")
		c.token = login(t, c.org)
		if c.token == first || c.token == other {
			t.Errorf("token %q was given out before", c.token)
		}
		c.want(c.bulk("k m1"), 200)
	})
}
