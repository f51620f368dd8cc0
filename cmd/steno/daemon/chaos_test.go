package daemon

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient/orgsim"
)

// TestTroubleLosesNothing plays calls, engines that die and come back, and
// random faults of the org. Whatever the seed, nothing is lost or out of order,
// and nothing is doubled but what was counted as ambiguous.
func TestTroubleLosesNothing(t *testing.T) {
	faults, err := orgsim.ParseFaults("401=0.03,403-concurrent=0.03,429=0.03,500=0.03,502=0.03,503=0.03,slow=0.05:8s,cut-before=0.03,cut-after=0.03,html=0.02,207-exhausted=0.05")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			cfg := usual
			cfg.Faults, cfg.Seed, cfg.DailyLimit = faults, seed, 0
			bubble(t, cfg, func(t *testing.T, r *rig) { r.chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func (r *rig) chaos(t *testing.T, rng *rand.Rand) {
	const calls = 12
	for round := range 6 {
		c, kill := r.engine()
		for i := range calls {
			call := fmt.Sprint("call-", i)
			s := r.open(c, call)
			said := r.want[call]
			r.want[call] = nil // whoever takes over says everything again
			r.say(s, call, len(said)+rng.IntN(9))
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
		}
		synctest.Wait()
		if round == 5 {
			time.Sleep(time.Second) // the last engine's words are acknowledged
		}
		kill()
	}
	for begin := time.Now(); r.daemon.spool.Account().Pending > 0; time.Sleep(time.Second) {
		if time.Since(begin) > 30*time.Minute {
			t.Fatalf("%+v after half an hour", r.daemon.spool.Account())
		}
	}
	_, scrape := r.get("/metrics")
	var ambiguous int
	fmt.Sscan(metric(scrape, "steno_utterances_ambiguous_total"), &ambiguous)
	cmp := r.arrived()
	if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > ambiguous {
		t.Errorf("arrived: %+v, want nothing lost or out of order, and at most the %d ambiguous ones twice", cmp, ambiguous)
	}
}
