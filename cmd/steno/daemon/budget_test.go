package daemon

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/sfclient/orgsim"
)

// An org whose answers do not tell its usage is asked, gently.
func TestUsageIsAskedFor(t *testing.T) {
	cfg := steady
	cfg.DailyLimit = 10_000
	bubble(t, cfg, func(t *testing.T, r *rig) {
		time.Sleep(time.Second)
		_, scrape := r.get("/metrics")
		if got := metric(scrape, "steno_api_requests_remaining"); got != "9999" {
			t.Errorf("%s requests remain, want 10,000 less the one that asked", got)
		}
		c, stop := r.engine()
		defer stop()
		a := r.open(c, "a")
		r.say(a, "a", 1)
		time.Sleep(15 * time.Second)
		r.say(a, "a", 1) // the pace is looked at when something happens
		time.Sleep(100 * time.Millisecond)
		_, scrape = r.get("/metrics")
		if got := metric(scrape, "steno_api_share_remaining"); got != "7998" {
			t.Errorf("%s of our share remain, want 8,000 less the one that asked and the one that was sent", got)
		}
		time.Sleep(time.Hour)
		if n := r.org.Ledger().Requests[orgsim.Limits]["200"]; n < 10 || n > 14 {
			t.Errorf("asked %d times in an hour, want one in five minutes", n)
		}
	})
}

// One that tells with each answer is not asked while there are any.
func TestUsageIsHeard(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		for range 60 {
			r.say(s, "a", 1)
			time.Sleep(time.Minute)
		}
		if n := r.org.Ledger().Requests[orgsim.Limits]["200"]; n > 1 {
			t.Errorf("asked %d times, want once at the start: the answers tell", n)
		}
	})
}

// Where Salesforce tells nothing, the setting does.
func TestUsageFromTheSetting(t *testing.T) {
	bubble(t, steady, func(t *testing.T, r *rig) {
		r.org.PlanFor(orgsim.Limits, orgsim.Fault{Kind: orgsim.Forbidden})
		c, stop := r.engine()
		defer stop()
		a := r.open(c, "a")
		r.say(a, "a", 1)
		time.Sleep(15 * time.Second)
		r.say(a, "a", 1)
		time.Sleep(100 * time.Millisecond)
		_, scrape := r.get("/metrics")
		if got := metric(scrape, "steno_api_share_remaining"); got != "449" {
			t.Errorf("%s of our share remain, want 90 %% of 500 less the one that was sent", got)
		}
	}, "STENO_API_DAILY_BUDGET=500", "STENO_API_RESERVE=0.1")
}

// While the day's requests are short utterances wait for longer, and the
// operator is told.
func TestPacingIsTold(t *testing.T) {
	cfg := usual
	cfg.DailyLimit = 20_000
	bubble(t, cfg, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		for range 300 {
			r.say(s, "a", 1)
			time.Sleep(time.Second)
		}
		_, scrape := r.get("/metrics")
		if got := metric(scrape, "steno_batch_wait_seconds"); got == "0.2" || got == "" {
			t.Errorf("an utterance waits %s s: 86,400 utterances a day have 16,000 requests", got)
		}
		if !strings.Contains(r.log.String(), "daily API requests are short") {
			t.Error("the log does not say that the pace is on")
		}
		r.settleAll(time.Minute)
		r.whole("pacing")
	})
}

func TestHistoryOutlivesTheDaemon(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	s := Settings{SpoolDir: dir}
	if got := s.readHistory(log); got != nil {
		t.Errorf("the first daemon reads %v", got)
	}
	want := []batcher.Slot{{Number: 1, Utterances: 5, Requests: 2, Whole: true}, {Number: 2, Requests: 1}}
	if err := writeHistory(s.historyPath(), want); err != nil {
		t.Fatal(err)
	}
	if got := s.readHistory(log); !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "history.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want mode 0600", info.Mode(), err)
	}
	var told strings.Builder
	if err := os.WriteFile(s.historyPath(), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.readHistory(slog.New(slog.NewTextHandler(&told, nil))); got != nil || !strings.Contains(told.String(), "the forecast begins anew") {
		t.Errorf("a damaged history gives %v and logs %q", got, told.String())
	}
}

// The file is written every minute, and once more at the end.
func TestHistoryIsKept(t *testing.T) {
	dir := t.TempDir()
	bubble(t, steady, func(t *testing.T, r *rig) {
		kept := Settings{SpoolDir: dir}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.pipeline.keepHistory(ctx, kept.historyPath()) }()
		seen := func() (sum float64) {
			for _, s := range kept.readHistory(r.daemon.log) {
				sum += s.Utterances
			}
			return sum
		}
		c, hangUp := r.engine()
		s := r.open(c, "a")
		for range 4 {
			r.say(s, "a", 1)
			time.Sleep(time.Minute)
		}
		if got := seen(); got < 1 || got > 4 {
			t.Errorf("%v utterances in the history after four minutes of one each, want most of them", got)
		}
		hangUp()
		r.stop()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := seen(); got != 4 {
			t.Errorf("%v utterances in the history after the end, want all four", got)
		}
	})
}
