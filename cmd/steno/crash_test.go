package main

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
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

// TestStoppedDaemonGoesOnWithWhatWaits stops the daemon as an orchestrator does
// while the org is away: that is no failure, and the next start delivers.
func TestStoppedDaemonGoesOnWithWhatWaits(t *testing.T) {
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice})
	org := httptest.NewServer(sim)
	defer org.Close()
	sim.Down(orgsim.Unavailable)
	v := newVictim(t, org.URL, "STENO_DRAIN_TIMEOUT=300ms")
	v.launch() // not ready: there is no token
	s := newSpeech(t, v.doors)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)
	s.awaitAcks(100)
	close(s.enough)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	v.stop()
	said := 0
	for _, ids := range s.said {
		said += len(ids)
	}
	if want := fmt.Sprintf("account: accepted %d, delivered 0, rejected 0, pending %[1]d", said); !strings.Contains(v.output.tail(), want) {
		t.Errorf("the daemon's last words are not %q", want)
	}
	if got, want := v.run("spool", "status"), fmt.Sprintf("waiting     %d utterances", said); !strings.Contains(got, want) || !strings.Contains(got, "from        the directory") {
		t.Errorf("spool status of a stopped daemon is %q, want %q", got, want)
	}
	if got := v.run("spool", "verify"); !strings.Contains(got, "every frame is whole") {
		t.Errorf("spool verify says %q", got)
	}
	sim.Up()
	v.start()
	if got := v.run("spool", "status"); !strings.Contains(got, "from        the daemon at") {
		t.Errorf("spool status of a running daemon is %q", got)
	}
	if got := v.metric("steno_spool_recovered_utterances"); got != said {
		t.Errorf("%d recovered, want %d", got, said)
	}
	v.await("everything is settled", func() bool { return v.metric("steno_utterances_pending") == 0 })
	v.stop()
	if cmp := sim.Ledger().Compare(s.said); !cmp.Clean() {
		t.Errorf("after the restart: %+v", cmp)
	}
}
