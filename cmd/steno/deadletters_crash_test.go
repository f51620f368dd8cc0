package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

// TestKilledDaemonKeepsDeadLetters kills the daemon while Salesforce refuses
// all that is said in one of eight calls. Each refused utterance is kept once,
// in the order of speech, and once the org takes it a retry delivers it.
func TestKilledDaemonKeepsDeadLetters(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and starts the daemon ten times")
	}
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, AnswerTime: orgsim.AnswerTime{Median: 20 * time.Millisecond, Spread: .5}})
	org := httptest.NewServer(sim)
	defer org.Close()
	const refused = "call-3"
	sim.CreateCall(refused, time.Time{})
	sim.Hold(refused, true)
	v := newVictim(t, org.URL, "STENO_BATCH_MAX_WAIT=50ms")
	v.start()
	s := newSpeech(t, v.doors)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)
	recovered := 0
	for range 10 {
		s.awaitAcks(50 + rand.IntN(300))
		v.kill()
		v.start()
		recovered += v.metric("steno_spool_recovered_utterances")
		v.balanced()
	}
	close(s.enough)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	v.await("everything is settled", func() bool { return v.metric("steno_utterances_pending") == 0 })
	want := s.said[refused]
	v.await("everything refused is kept", func() bool { return v.metric("steno_deadletters") >= len(want) })
	var kept []string
	for line := range strings.Lines(v.run("deadletters", "list", "--json")) {
		var d struct {
			MessageID string `json:"messageId"`
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kept = append(kept, d.MessageID)
	}
	if !slices.Equal(kept, want) {
		t.Errorf("%d letters are kept: %v\nwant the %d that were refused: %v", len(kept), kept, len(want), want)
	}
	sim.Hold(refused, false)
	v.run("deadletters", "retry", "--all")
	v.kill()
	v.start()
	v.await("everything is delivered", func() bool {
		return v.metric("steno_utterances_pending") == 0 && v.metric("steno_deadletters") == 0
	})
	v.stop()
	cmp := sim.Ledger().Compare(s.said)
	t.Logf("%d utterances acknowledged, %d of them refused, %d stored twice", cmp.Wanted, len(want), cmp.Duplicated)
	if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > recovered+len(want) {
		t.Errorf("at the end: %+v; %d were recovered", cmp, recovered)
	}
}
