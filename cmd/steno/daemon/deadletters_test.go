package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/steno/cmd/steno/deadletters"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// letters are the rig's, as a command on the daemon's machine reaches them.
func (r *rig) letters() *deadletters.Remote {
	c := r.admin.Client()
	r.t.Cleanup(c.CloseIdleConnections)
	return &deadletters.Remote{URL: "http://127.0.0.1", Client: c}
}

// What Salesforce refuses is kept with its words, can be looked at and exported,
// and once the org is mended a retry delivers it under its name, behind what was
// delivered meanwhile. None of it is logged.
func TestRejectedIsListedExportedAndRetried(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 3)
		time.Sleep(5 * time.Second)
		r.org.Hold("a", true)
		r.say(s, "a", 1)
		time.Sleep(5 * time.Second)
		r.org.Hold("a", false)
		r.say(s, "a", 2)
		time.Sleep(5 * time.Second)

		letters := r.letters()
		defer letters.Client.CloseIdleConnections()
		var all []deadletters.Shown
		if err := letters.List(t.Context(), deadletters.Filter{}, func(d deadletters.Shown) error { all = append(all, d); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || all[0].MessageID != "a/4" || all[0].Reason != "paused" || all[0].Attempts != 1 || all[0].Words != "" || all[0].Message != nil {
			t.Fatalf("listed are %+v, want a/4 without its text", all)
		}
		d, err := letters.Show(t.Context(), "", all[0].ID)
		if err != nil || !strings.Contains(d.Words, "paused for participant") || !strings.Contains(string(d.Message), `"content":"the secret words of a/4"`) {
			t.Errorf("shown is %+v, %v, want Salesforce's words and the text", d, err)
		}
		var out strings.Builder
		if err := letters.Export(t.Context(), deadletters.Filter{Call: "a"}, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), `"messageText":"the secret words of a/4"`) || strings.Count(out.String(), "\n") != 2 {
			t.Errorf("exported is %s", out.String())
		}

		n, err := letters.Change(t.Context(), deadletters.Retry, deadletters.Selection{IDs: []uint64{all[0].ID}})
		if n != 1 || err != nil {
			t.Errorf("retried %d, %v", n, err)
		}
		time.Sleep(5 * time.Second)
		if got, want := r.org.Ledger().Calls["a"].MessageIDs, []string{"a/1", "a/2", "a/3", "a/5", "a/6", "a/4"}; !slices.Equal(got, want) {
			t.Errorf("the org has %v, want %v", got, want)
		}
		_, scrape := r.get("/metrics")
		for name, want := range map[string]string{
			"steno_utterances_accepted_total": "7", "steno_utterances_delivered_total": "6", `steno_utterances_rejected_total{reason="paused"}`: "1",
			"steno_utterances_pending": "0", "steno_deadletters": "0", "steno_deadletters_retried_total": "1", `steno_deadletters_dropped_total{why="operator"}`: "0",
		} {
			if got := metric(scrape, name); got != want {
				t.Errorf("%s is %q, want %s", name, got, want)
			}
		}
		r.stop()
		for _, secret := range []string{"secret words", "paused for participant", "hush"} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		if !strings.Contains(r.log.String(), "dead letters retried") {
			t.Error("the log does not tell of the retry")
		}
	})
}

// rejectSome has the org refuse n utterances of a call.
func (r *rig) rejectSome(call string, n int) {
	c, stop := r.engine()
	defer stop()
	s := r.open(c, call)
	r.org.CreateCall(call, time.Time{})
	r.org.Hold(call, true)
	r.say(s, call, n)
	time.Sleep(5 * time.Second)
}

func TestRetentionIsNeverSilent(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		r.rejectSome("a", 3)
		time.Sleep(30 * time.Minute)
		r.rejectSome("b", 2)
		f := func(kept, aged string) {
			t.Helper()
			_, scrape := r.get("/metrics")
			if got := metric(scrape, "steno_deadletters"); got != kept {
				t.Errorf("%s letters are kept, want %s", got, kept)
			}
			if got := metric(scrape, `steno_deadletters_dropped_total{why="age"}`); got != aged {
				t.Errorf("%s were dropped for their age, want %s", got, aged)
			}
		}
		f("5", "0")
		time.Sleep(31 * time.Minute)
		f("2", "3")
		time.Sleep(time.Hour)
		f("0", "5")
		if log := r.log.String(); !strings.Contains(log, `"msg":"dead letters dropped","too_old":3,"too_many":0,"left":2`) {
			t.Error("the log does not tell how many were dropped")
		}
	}, "STENO_DEADLETTERS_MAX_AGE=1h")
}

func TestRetentionBySize(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		r.rejectSome("a", 1)
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "b")
		r.org.CreateCall("b", time.Time{})
		r.org.Hold("b", true)
		now := time.Now().UnixMilli()
		long := client.Utterance{Channel: "0", StartTime: now, EndTime: now, Content: strings.Repeat("long ", 6000)}
		for range 40 { // 1.2 MB
			if _, err := s.Send(t.Context(), long); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		_, scrape := r.get("/metrics")
		var kept, bytes, dropped int
		fmt.Sscan(metric(scrape, "steno_deadletters"), &kept)
		fmt.Sscan(metric(scrape, "steno_deadletters_bytes"), &bytes)
		fmt.Sscan(metric(scrape, `steno_deadletters_dropped_total{why="size"}`), &dropped)
		if kept+dropped != 41 || dropped == 0 || bytes > 1<<20 || bytes < 900_000 {
			t.Errorf("%d letters of %d bytes are kept and %d dropped, want 41 together and just below 1 MiB", kept, bytes, dropped)
		}
	}, "STENO_DEADLETTERS_MAX_BYTES=1048576")
}

// Nobody is left to send what is retried while the daemon drains.
func TestNoRetryWhileDraining(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		r.rejectSome("a", 1)
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "b")
		r.say(s, "b", 1)
		time.Sleep(time.Second)
		r.org.Down(orgsim.Silent)
		r.say(s, "b", 1)
		time.Sleep(time.Second)
		r.drain()
		time.Sleep(time.Second)
		letters := r.letters()
		n, err := letters.Change(t.Context(), deadletters.Retry, deadletters.Selection{All: true})
		if n != 0 || err == nil || !strings.Contains(err.Error(), "shutting down") {
			t.Errorf("a retry while draining = %d, %v", n, err)
		}
		if n, err := letters.Change(t.Context(), deadletters.Drop, deadletters.Selection{All: true}); n != 1 || err != nil {
			t.Errorf("a drop while draining = %d, %v", n, err)
		}
		letters.Client.CloseIdleConnections()
		<-r.done
		r.done = nil
		r.org.Up()
	})
}

// A browser's page gets nothing from the daemon's own listener.
func TestDeadLettersAreNotForPages(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		r.rejectSome("a", 1)
		status, body := r.get("/deadletters/1")
		if status != 200 || !strings.Contains(body, "secret words") {
			t.Errorf("a program gets %d %s", status, body)
		}
		status, body = r.getWith("/deadletters/1", "Origin", "https://evil.example")
		if status != 403 || strings.Contains(body, "secret words") {
			t.Errorf("a page gets %d %s", status, body)
		}
		if _, body := r.get("/status.json"); strings.Contains(body, "secret") {
			t.Errorf("the status holds text: %s", fmt.Sprintf("%.200s", body))
		}
	})
}
