package daemon

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

var chaosSeeds = flag.Uint64("chaos", 60, "how many seeds TestChaos plays, from 0")

// TestChaos plays random schedules of every trouble that the simulated org
// knows, of engines that die and come back, and of daemons that are killed.
// Whatever the seed: accepted = delivered + rejected + pending at every step;
// nothing is lost; each call's words are in order; nothing comes twice but what
// was counted as ambiguous or was waiting when a daemon was killed; and every
// request keeps to the limits. .ci/run plays 500 seeds:
//
//	go test ./cmd/steno/daemon -run Chaos -chaos 500
func TestChaos(t *testing.T) {
	for seed := range *chaosSeeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			vars := []string{
				fmt.Sprintf("STENO_SF_MAX_IN_FLIGHT=%d", 1+rng.IntN(20)), "STENO_DRAIN_TIMEOUT=1s", "STENO_BATCH_END_GRACE=24h",
				fmt.Sprintf("STENO_BATCH_MAX_WAIT=%dms", rng.IntN(500)), "STENO_BATCH_SPEAKERS=" + []string{"one", "mixed"}[rng.IntN(2)],
			}
			bubble(t, drawOrg(rng, seed), func(t *testing.T, r *rig) { (&chaos{rig: r, rng: rng}).run() }, vars...)
			if t.Failed() {
				t.Logf("to play this again: go test ./cmd/steno/daemon -run 'Chaos/seed=%d$' -chaos %d", seed, seed+1)
			}
		})
	}
}

// drawOrg draws an org with some of the faults that there are.
func drawOrg(rng *rand.Rand, seed uint64) orgsim.Config {
	cfg := orgsim.Config{
		MakeCalls: true, Duplicates: orgsim.StoreTwice, ClientID: "id", ClientSecret: "hush", Seed: seed,
		AnswerTime: orgsim.AnswerTime{Median: time.Duration(rng.IntN(500)) * time.Millisecond, Spread: rng.Float64()},
		Refusal:    []orgsim.RefusalStyle{orgsim.PerEntry, orgsim.Envelope200, orgsim.Envelope400}[rng.IntN(3)],
	}
	for _, kind := range []orgsim.Kind{
		orgsim.Expired, orgsim.Forbidden, orgsim.TotalRequests, orgsim.LongRequests, orgsim.TooMany, orgsim.ApexError, orgsim.BadGateway,
		orgsim.Overloaded, orgsim.Refused, orgsim.Exhausted, orgsim.PausedEntry, orgsim.CutBefore, orgsim.CutAfter, orgsim.HTML,
	} {
		if rng.IntN(3) == 0 {
			cfg.Faults = append(cfg.Faults, orgsim.Rate{Fault: orgsim.Fault{Kind: kind}, Share: rng.Float64() * .06})
		}
	}
	cfg.Faults = append(cfg.Faults, orgsim.Rate{Fault: orgsim.Fault{Kind: orgsim.Slow, Delay: 8 * time.Second}, Share: .02})
	if rng.IntN(4) == 0 {
		cfg.RateLimit = 5 + rng.IntN(60)
	}
	if rng.IntN(4) == 0 {
		cfg.DailyLimit, cfg.LimitInfo = 2000+rng.IntN(3000), true
	}
	return cfg
}

// chaos is one schedule under way.
type chaos struct {
	*rig
	rng     *rand.Rand
	engine  *client.Client
	hangUp  func()
	streams map[string]*client.Stream

	rejected  uint64 // by daemons that have gone
	ambiguous int    // counted by them
	recovered uint64 // utterances that waited when one of them was killed
}

func (c *chaos) run() {
	c.connect()
	for range 25 {
		c.step()
		c.balance()
	}
	c.org.Up()
	c.connect()
	c.settleAll(24 * time.Hour)
	c.hangUp()
	c.check()
}

// connect begins a life of the engines, which say everything again.
func (c *chaos) connect() {
	if c.hangUp != nil {
		c.hangUp()
	}
	c.engine, c.hangUp = c.rig.engine()
	c.streams = map[string]*client.Stream{}
	for call, said := range c.want {
		c.want[call] = nil
		c.speak(call, len(said))
	}
}

func (c *chaos) speak(call string, n int) {
	if c.streams[call] == nil {
		c.streams[call] = c.open(c.engine, call)
	}
	c.say(c.streams[call], call, n)
}

func (c *chaos) step() {
	switch c.rng.IntN(20) {
	case 0:
		c.connect()
	case 1:
		c.restart()
	case 2:
		c.org.Down([]orgsim.Outage{orgsim.Silent, orgsim.Unavailable}[c.rng.IntN(2)])
	case 3:
		c.org.Up()
	case 4:
		c.org.ExpireTokens()
	case 5:
		c.org.Pause(c.call(), c.rng.IntN(2) == 0)
	default:
		for range 1 + c.rng.IntN(6) {
			c.speak(c.call(), 1+c.rng.IntN(5))
		}
	}
	time.Sleep(time.Duration(c.rng.ExpFloat64() * float64(time.Second)))
}

func (c *chaos) call() string { return fmt.Sprint("call-", c.rng.IntN(9)) }

// restart kills the daemon and starts another one.
func (c *chaos) restart() {
	synctest.Wait()
	c.count()
	c.kill()
	c.start()
	c.recovered += c.pipeline.spool.Account().Pending
}

// count keeps what a daemon takes along when it is killed.
func (c *chaos) count() {
	for _, n := range c.pipeline.spool.Account().Rejected {
		c.rejected += n
	}
	c.ambiguous += c.rig.count("steno_utterances_ambiguous_total")
}

// balance is the law of the account.
func (c *chaos) balance() {
	a := c.pipeline.spool.Account()
	sum := a.Delivered + a.Pending
	for _, n := range a.Rejected {
		sum += n
	}
	if a.Accepted != sum {
		c.t.Errorf("account %+v does not balance", a)
	}
}

func (c *chaos) check() {
	c.count()
	c.balance()
	cmp := c.arrived()
	if uint64(cmp.Lost) > c.rejected {
		c.t.Errorf("arrived %+v, with %d rejected: the rest is lost", cmp, c.rejected)
	}
	if cmp.OutOfOrder != 0 || cmp.Unexpected != 0 {
		c.t.Errorf("arrived %+v, want everything in order and nothing unexpected", cmp)
	}
	if cmp.Duplicated > c.ambiguous+int(c.recovered) {
		c.t.Errorf("arrived %+v, with %d counted as ambiguous and %d waiting at kills", cmp, c.ambiguous, c.recovered)
	}
	if most := c.wire.most; most > c.pipeline.settings.SFMaxInFlight+2 { // and the token, and the limits
		c.t.Errorf("%d requests in flight, want at most %d", most, c.pipeline.settings.SFMaxInFlight)
	}
}
