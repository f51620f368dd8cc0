package batcher_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
)

// picky is a Sender that first cannot be reached, and then refuses a-2, in many
// words that quote it.
type picky struct{ requests int }

const quote = "400: the words of a-2 are not to our taste "

func (p *picky) Send(_ context.Context, r batcher.Request) batcher.Outcome {
	time.Sleep(100 * time.Millisecond)
	p.requests++
	o := batcher.Outcome{Written: time.Now(), Results: make([]batcher.Result, len(r.Entries))}
	for i := range r.Entries {
		o.Results[i] = batcher.Result{Verdict: batcher.Retry, Ambiguous: true}
		if p.requests > 1 {
			o.Results[i] = batcher.Result{Verdict: batcher.Reject, Reason: "invalid", Words: strings.Repeat(quote+"é", 100), Only: []string{"a-2"}}
		}
	}
	return o
}

// A rejected utterance is kept, with why and how it came to that; and none of
// it is logged.
func TestRejectedIsKeptAsDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, spool: spool.NewMemory(), seq: map[string]int{}}
		var log strings.Builder
		b := batcher.New(batcher.Config{
			Limits: batcher.Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 8, MaxWait: 200 * time.Millisecond, Grace: 30 * time.Second},
			Spool:  r.spool, Sender: &picky{}, Metrics: metrics.NewSet(), Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		r.say("a", 3)
		input, drain := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(input, t.Context()) }()
		time.Sleep(time.Minute)
		drain()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if k := r.spool.DeadLetters().Kept(); k.Letters != 1 {
			t.Fatalf("%d dead letters, want that of a-2", k.Letters)
		}
		d, err := r.spool.DeadLetters().Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if d.Record.MessageID != "a-2" || string(d.Record.Message) != "{}" || d.Reason != "invalid" || d.Attempts != 2 || !d.Ambiguous {
			t.Errorf("kept is %+v, want a-2, invalid, after 2 attempts, ambiguous", d)
		}
		if !strings.HasPrefix(d.Words, quote) || len(d.Words) > spool.MaxWords || !utf8.ValidString(d.Words) {
			t.Errorf("Salesforce's words are %d bytes: %.60q", len(d.Words), d.Words)
		}
		if d.Sent.Before(d.Record.Received) || d.Rejected.Before(d.Sent) {
			t.Errorf("received %v, sent %v, rejected %v", d.Record.Received, d.Sent, d.Rejected)
		}
		if !strings.Contains(log.String(), "utterances rejected") || strings.Contains(log.String(), "to our taste") {
			t.Errorf("the log tells nothing, or too much: %s", log.String())
		}
	})
}
