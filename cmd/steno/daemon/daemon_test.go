package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// usual is an org that does what it should, and stores what comes twice.
var usual = orgsim.Config{
	MakeCalls: true, Duplicates: orgsim.StoreTwice, ClientID: "id", ClientSecret: "hush",
	AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond, Spread: .5}, DailyLimit: 1000, LimitInfo: true,
}

func TestWholeFlow(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		for i := range 20 {
			call := fmt.Sprintf("call-%d", i)
			s := r.open(c, call)
			r.say(s, call, 12)
			time.Sleep(300 * time.Millisecond)
			if err := s.Close(t.Context(), "end"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		if cmp := r.arrived(); !cmp.Clean() || cmp.Wanted != 240 {
			t.Errorf("arrived: %+v, want 240 and no difference", cmp)
		}
		if l := r.org.Ledger(); l.APIRequests > 100 {
			t.Errorf("%d requests for 240 utterances of 20 calls", l.APIRequests)
		}
	})
}

// An org that answers nothing for a minute, then comes back, gets everything in
// order.
func TestOrgIsSilentForAMinute(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 1)
		time.Sleep(time.Second)
		r.org.Down(orgsim.Silent)
		for range 120 {
			r.say(s, "a", 1)
			time.Sleep(500 * time.Millisecond)
		}
		r.org.Up()
		back := time.Now()
		for a := r.pipeline.spool.Account(); a.Pending > 0; a = r.pipeline.spool.Account() {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(back); took > 35*time.Second {
			t.Errorf("caught up %v after the org came back, want one request's time-out and a little", took)
		}
		if cmp := r.arrived(); !cmp.Clean() || cmp.Wanted != 121 {
			t.Errorf("arrived: %+v, want 121 and no difference", cmp)
		}
	})
}

func TestDrainOnSignal(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 7)
		time.Sleep(10 * time.Millisecond) // acknowledged, and waiting for company
		r.stop()
		if cmp := r.arrived(); !cmp.Clean() || cmp.Wanted != 7 {
			t.Errorf("arrived: %+v, want 7 and no difference", cmp)
		}
		if got, want := r.daemon.AccountLine(), "account: accepted 7, delivered 7, rejected 0, pending 0"; got != want {
			t.Errorf("last words %q, want %q", got, want)
		}
	})
}

// Protocol: an engine that asks for it hears of each of its utterances when
// Salesforce has accepted it, though others did not ask.
func TestDeliveredIsTold(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		silent, stop := r.engine()
		defer stop()
		r.say(r.open(silent, "a"), "a", 2)
		time.Sleep(time.Second)

		told := make(chan string, 10)
		c, err := client.New(client.Config{
			URL: "ws://127.0.0.1:1/v1/ingest", Dialer: &websocket.Dialer{NetDialContext: r.dial},
			OnDelivered: func(stream string, seq uint64, _ time.Duration) { told <- fmt.Sprint(stream, "/", seq) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan struct{})
		go func() {
			defer close(left)
			c.Run(ctx)
		}()
		r.say(r.open(c, "b", "delivered"), "b", 3)
		time.Sleep(5 * time.Second)
		leave()
		<-left
		close(told)
		var got []string
		for name := range told {
			got = append(got, name)
		}
		if want := []string{"b/1", "b/2", "b/3"}; !slices.Equal(got, want) {
			t.Errorf("delivered: %v, want %v", got, want)
		}
	})
}

// A dead org delays the end by exactly the drain's time-out.
func TestDrainTimeout(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 1)
		time.Sleep(time.Second)
		r.org.Down(orgsim.Silent)
		r.say(s, "a", 2)
		time.Sleep(time.Second)
		begin := time.Now()
		r.drain()
		err := <-r.done
		r.done = nil
		if err != nil || !strings.Contains(r.log.String(), "not everything has reached salesforce") {
			t.Errorf("Run = %v, want a warning: the disk keeps what is left", err)
		}
		if took := time.Since(begin); took != 12*time.Second {
			t.Errorf("stopped after %v, want exactly 12s", took)
		}
		if got, want := r.daemon.AccountLine(), "account: accepted 3, delivered 1, rejected 0, pending 2"; got != want {
			t.Errorf("last words %q, want %q", got, want)
		}
		r.org.Up()
	}, "STENO_DRAIN_TIMEOUT=12s")
}

func TestEngineThatIsKilledGoesOnWhereItWas(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, kill := r.engine()
		s := r.open(c, "a")
		r.say(s, "a", 10)
		time.Sleep(time.Second)
		kill()
		again, stop := r.engine() // knows nothing of the first
		defer stop()
		r.want["a"] = nil
		s = r.open(again, "a")
		r.say(s, "a", 15)
		if err := s.Close(t.Context(), "end"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if cmp := r.arrived(); !cmp.Clean() || cmp.Wanted != 15 {
			t.Errorf("arrived: %+v, want 15 and no difference", cmp)
		}
		_, scrape := r.get("/metrics")
		if got := metric(scrape, "steno_utterances_accepted_total"); got != "15" {
			t.Errorf("%s accepted, want 15: the first ten were there already", got)
		}
	})
}

func TestReadiness(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		f := func(wantStatus int, wantBody string) {
			t.Helper()
			status, body := r.get("/readyz")
			if status != wantStatus || !strings.Contains(body, wantBody) {
				t.Errorf("/readyz = %d %s, want %d and %s", status, body, wantStatus, wantBody)
			}
		}
		if status, _ := r.get("/healthz"); status != 200 {
			t.Errorf("/healthz = %d", status)
		}
		f(200, `"ready":true`)
		if status, body := r.get("/status.json"); status != 200 || !strings.Contains(body, `"ready":true`) || !strings.Contains(body, `"account":{"accepted":0,`) {
			t.Errorf("/status.json = %d %s", status, body)
		}
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.org.Plan(orgsim.Fault{Kind: orgsim.Forbidden})
		r.say(s, "a", 1)
		time.Sleep(time.Second)
		f(503, `"salesforce_barred"`)
		time.Sleep(30 * time.Second)
		f(200, `"ready":true`)
		if cmp := r.arrived(); !cmp.Clean() {
			t.Errorf("arrived after the configuration was mended: %+v", cmp)
		}
	})
	wrong := usual
	wrong.ClientSecret = "another"
	bubble(t, wrong, func(t *testing.T, r *rig) {
		time.Sleep(time.Second)
		if status, body := r.get("/readyz"); status != 503 || !strings.Contains(body, `"salesforce_token"`) || strings.Contains(body, "hush") {
			t.Errorf("/readyz with a wrong secret = %d %s, want 503 and salesforce_token", status, body)
		}
	})
}

// The names that others rely on are there, each is documented, and the account
// balances in the scrape.
func TestMetrics(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 30)
		for range 40 {
			_, scrape := r.get("/metrics")
			var accepted, delivered, pending int
			fmt.Sscan(metric(scrape, "steno_utterances_accepted_total"), &accepted)
			fmt.Sscan(metric(scrape, "steno_utterances_delivered_total"), &delivered)
			fmt.Sscan(metric(scrape, "steno_utterances_pending"), &pending)
			if accepted != delivered+pending {
				t.Errorf("accepted %d ≠ delivered %d + pending %d", accepted, delivered, pending)
			}
			time.Sleep(50 * time.Millisecond)
		}
		_, scrape := r.get("/metrics")
		if got := metric(scrape, "steno_api_requests_remaining"); got == "" || got == "NaN" {
			t.Errorf("steno_api_requests_remaining is %q although Salesforce tells", got)
		}
		shown := shownMetrics(scrape)
		var documented []string
		for _, m := range AllMetrics() {
			name, _, _ := strings.Cut(m.Name, "{")
			if m.Kind == "histogram" && strings.HasPrefix(name, "steno_spool_") {
				continue // the spool in memory has none; the crash test looks for them
			}
			if strings.HasPrefix(name, "steno_orgs_") || strings.HasPrefix(name, "steno_cluster_") {
				continue // there is one org, and one daemon
			}
			documented = append(documented, name)
		}
		slices.Sort(documented)
		if !slices.Equal(shown, documented) {
			t.Errorf("/metrics shows %v\ndocumented are %v", shown, documented)
		}
	})
}

// shownMetrics are the names of Steno's own metrics in a scrape, sorted.
func shownMetrics(scrape string) []string {
	var names []string
	for line := range strings.Lines(scrape) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		if strings.HasPrefix(name, "steno_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Neither what was said nor a secret is ever in the log.
func TestLogKeepsSecrets(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		for _, kind := range []orgsim.Kind{orgsim.ApexError, orgsim.Refused, orgsim.HTML, orgsim.TooMany, orgsim.Expired, orgsim.CutAfter} {
			r.org.Plan(orgsim.Fault{Kind: kind})
			r.say(s, "a", 3)
			time.Sleep(20 * time.Second)
		}
		r.stop()
		log := r.log.String()
		for _, secret := range []string{"secret words", "hush"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		if !strings.Contains(log, "salesforce is held back") || !strings.Contains(log, "salesforce answers again") {
			t.Errorf("the log does not tell of the gate:\n%s", log)
		}
	})
}
