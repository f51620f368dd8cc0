package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
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
	kept := slices.Collect(v.kept())
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

// TestFullDiskKeepsEveryDeadLetter fills the disk while Salesforce refuses all
// that is said, and makes room. What was refused is kept, each once.
func TestFullDiskKeepsEveryDeadLetter(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a disk")
	}
	at := t.TempDir()
	tmpfs(t, at, "size=8m")
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice})
	org := httptest.NewServer(sim)
	defer org.Close()
	for i := range 8 {
		call := fmt.Sprintf("call-%d", i)
		sim.CreateCall(call, time.Time{})
		sim.Hold(call, true)
	}
	v := newVictim(t, org.URL, "STENO_SPOOL_DIR="+at)
	v.start()
	s := newSpeech(t, v.doors)
	s.pad = strings.Repeat(" and so on", 500)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)
	s.awaitAcks(100)
	v.await("the disk is full and readiness says so", func() bool {
		status, body, err := v.get("/readyz")
		return err == nil && status == http.StatusServiceUnavailable && strings.Contains(body, `"spool"`)
	})
	for len(s.acks) > 0 {
		<-s.acks
	}
	if out, err := exec.Command("mount", "-o", "remount,size=256m", at).CombinedOutput(); err != nil {
		t.Fatalf("make room: %v: %s", err, out)
	}
	s.awaitAcks(100)
	close(s.enough)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, ids := range s.said {
		for _, id := range ids {
			said[id] = true
		}
	}
	v.await("everything is kept", func() bool {
		return v.metric("steno_utterances_pending") == 0 && v.metric("steno_deadletters") >= len(said)
	})
	v.balanced()
	for id := range v.kept() {
		if !said[id] {
			t.Errorf("%s is kept twice, or was never said", id)
		}
		delete(said, id)
	}
	if len(said) > 0 {
		t.Errorf("%d that were refused are not kept", len(said))
	}
	v.await("the daemon is ready again", func() bool {
		status, _, err := v.get("/readyz")
		return err == nil && status == http.StatusOK
	})
	v.stop()
}

// kept yields the message ids of what the daemon keeps.
func (v *victim) kept() iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(v.run("deadletters", "list", "--json")) {
			var d struct {
				MessageID string `json:"messageId"`
			}
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				v.t.Fatalf("%q: %v", line, err)
			}
			if !yield(d.MessageID) {
				return
			}
		}
	}
}
