package main

import (
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

// kills is how often the daemon is killed.
const kills = 50

// TestKilledDaemonLosesNothing kills the real program with SIGKILL at random
// moments under load, starts it again on the same directory, and at last
// compares what the engines said, all of it acknowledged by then, with what the
// org has. What is there twice was in flight at a kill, and counted.
func TestKilledDaemonLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and starts the daemon 50 times")
	}
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, AnswerTime: orgsim.AnswerTime{Median: 20 * time.Millisecond, Spread: .5}})
	org := httptest.NewServer(sim)
	defer org.Close()
	v := newVictim(t, org.URL, "STENO_BATCH_MAX_WAIT=50ms")
	v.start()
	s := newSpeech(t, v.doors)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)

	recovered := 0
	for range kills {
		s.awaitAcks(5 + rand.IntN(300))
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
	v.balanced()
	v.stop()

	cmp := sim.Ledger().Compare(s.said)
	t.Logf("%d kills, %d utterances acknowledged, %d recovered in all, %d stored twice", kills, cmp.Wanted, recovered, cmp.Duplicated)
	if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > recovered {
		t.Errorf("after %d kills: %+v; %d were recovered", kills, cmp, recovered)
	}
}
