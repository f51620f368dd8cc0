package daemon

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/steno/bench/workload"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// crowd is many recorded calls at once, and when each utterance was said.
type crowd struct {
	*rig
	said map[string]time.Time // by message id
}

// play says what n calls say in a time, and calls each, where there is one,
// before every utterance.
func (c *crowd) play(n int, d time.Duration, each func(since time.Duration, u *client.Utterance)) {
	calls, _, err := workload.Default(workload.Find())
	if err != nil {
		c.t.Fatal(err)
	}
	engine, stop := c.engine()
	defer stop()
	streams, begin := map[int]*client.Stream{}, time.Now()
	for a := range workload.Play(calls, workload.PlayOptions{Concurrent: n, Seed: 1, Duration: d, RandomPhase: true}) {
		time.Sleep(time.Until(begin.Add(a.At)))
		call := fmt.Sprint("call-", a.Call)
		s := streams[a.Call]
		if s == nil {
			s = c.open(engine, call)
			streams[a.Call] = s
		}
		now := time.Now()
		u := client.Utterance{
			MessageID: fmt.Sprintf("%s/%d", call, a.Nth), Channel: fmt.Sprint(int(a.Role) % 2),
			StartTime: now.Add(-time.Second).UnixMilli(), EndTime: now.UnixMilli(), Content: a.Text,
		}
		if each != nil {
			each(a.At, &u)
		}
		if _, err := s.Send(c.t.Context(), u); err != nil {
			c.t.Fatalf("send %s: %v", u.MessageID, err)
		}
		c.want[call] = append(c.want[call], u.MessageID)
		c.said[u.MessageID] = now
		if a.Last {
			delete(streams, a.Call)
			if err := s.Close(c.t.Context(), "end"); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	c.settleAll(10 * time.Minute)
}

// delays are how long each utterance took to be stored, by when it was said.
func (c *crowd) delays(from, to time.Time) (all []time.Duration) {
	for _, call := range c.org.Ledger().Calls {
		for _, m := range call.Messages {
			if at := c.said[m.MessageID]; !at.Before(from) && at.Before(to) {
				all = append(all, time.UnixMilli(m.StoredAt).Sub(at))
			}
		}
	}
	slices.Sort(all)
	return all
}

func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(time.Millisecond)
}

// busy is an org for a crowd: it takes 200 ms, or some more or less.
var busy = orgsim.Config{
	MakeCalls: true, Duplicates: orgsim.StoreTwice, ClientID: "id", ClientSecret: "hush", Seed: 1, Refusal: orgsim.Envelope400,
	AnswerTime: orgsim.AnswerTime{Median: 200 * time.Millisecond, Spread: .3},
}

// crowded runs a test with a crowd.
func crowded(t *testing.T, cfg orgsim.Config, test func(*testing.T, *crowd), vars ...string) {
	bubble(t, cfg, func(t *testing.T, r *rig) {
		time.Sleep(time.Second)
		test(t, &crowd{r, map[string]time.Time{}})
	}, vars...)
}

// One poisoned utterance among 1,000 calls: it alone is rejected, though the
// org does not say which it is. What that costs the others:
//
//	go test ./cmd/steno/daemon -run Poison -v
func TestOnePoisonAmongAThousandCalls(t *testing.T) {
	const calls, length = 1000, time.Minute
	var clean, poisoned []time.Duration
	var requests, more uint64
	crowded(t, busy, func(t *testing.T, c *crowd) {
		c.play(calls, length, nil)
		clean, requests = c.delays(time.Time{}, time.Now()), c.org.Ledger().APIRequests
	})
	crowded(t, busy, func(t *testing.T, c *crowd) {
		var poison string
		c.play(calls, length, func(at time.Duration, u *client.Utterance) {
			if poison == "" && at > length/2 && u.Channel == "1" {
				poison = u.MessageID
				u.ParticipantID = "005Poison" // Steno takes it, Salesforce wants 15 or 18 letters
			}
		})
		if a := c.pipeline.spool.Account(); a.Rejected[reasonInvalid] != 1 || a.Accepted != a.Delivered+1 {
			t.Errorf("account %+v, want the poisoned one rejected and all others delivered", a)
		}
		if cmp := c.arrived(); cmp.Lost != 1 || cmp.OutOfOrder != 0 || cmp.Duplicated != 0 || len(cmp.Examples) != 1 {
			t.Errorf("arrived %+v, want only %s missing", cmp, poison)
		}
		poisoned, more = c.delays(time.Time{}, time.Now()), c.org.Ledger().APIRequests-requests
	})
	t.Logf("%d utterances, %d requests; the poison cost %d requests more", len(clean), requests, more)
	t.Logf("delay of all others: p50 %v, p99 %v, max %v; without poison %v, %v, %v",
		at(poisoned, .5), at(poisoned, .99), at(poisoned, 1), at(clean, .5), at(clean, .99), at(clean, 1))
	if more > 20 {
		t.Errorf("the poison cost %d requests, want its search and no more", more)
	}
	if limit := at(clean, .99) + 100*time.Millisecond; at(poisoned, .99) > limit {
		t.Errorf("with poison the others' p99 is %v, want at most %v", at(poisoned, .99), limit)
	}
}

// An outage of a minute at 1,000 calls: what waits goes in order and in as few
// requests as the rule about speakers lets it.
//
//	go test ./cmd/steno/daemon -run Outage -v
func TestOutageAtAThousandCalls(t *testing.T) {
	for _, speakers := range []string{"one", "mixed"} {
		crowded(t, busy, func(t *testing.T, c *crowd) { c.outage(speakers) }, "STENO_BATCH_SPEAKERS="+speakers)
	}
}

func (c *crowd) outage(speakers string) {
	const before, down = 30 * time.Second, 60 * time.Second
	begin := time.Now()
	back := begin.Add(before + down)
	time.AfterFunc(before, func() { c.org.Down(orgsim.Unavailable) })
	var missed, delivered, requests uint64
	time.AfterFunc(before+down, func() {
		a := c.pipeline.spool.Account()
		missed, delivered, requests = a.Pending, a.Delivered, c.org.Ledger().APIRequests
		c.org.Up()
	})
	var drained time.Duration
	c.play(1000, before+down+60*time.Second, func(at time.Duration, _ *client.Utterance) {
		if at < before+down || drained > 0 {
			return
		}
		if a := c.pipeline.spool.Account(); a.Pending == 0 || time.Since(a.Oldest) < 2*time.Second {
			drained = at - before - down
			delivered, requests = a.Delivered-delivered, c.org.Ledger().APIRequests-requests
		}
	})
	if cmp := c.arrived(); !cmp.Clean() {
		c.t.Errorf("%s: arrived %+v, want everything once and in order", speakers, cmp)
	}
	normal := at(c.delays(begin, begin.Add(before-5*time.Second)), .99)
	calm := time.Duration(0) // until the p99 of five seconds is what it was
	for ; calm < time.Minute; calm += time.Second {
		if d := c.delays(back.Add(calm), back.Add(calm+5*time.Second)); len(d) > 0 && at(d, .99) <= normal+50*time.Millisecond {
			break
		}
	}
	c.t.Logf("%-5s %d waited; %v after the org was back nothing was older than 2 s: %d delivered in %d requests, %.1f each; p99 %v was normal again for what was said %v after it",
		speakers, missed, drained.Round(100*time.Millisecond), delivered, requests, float64(delivered)/float64(requests), normal, calm)
	if calm > 30*time.Second {
		c.t.Errorf("%s: p99 is normal %v after the org is back", speakers, calm)
	}
}

// A rate limit below what the crowd needs: nearly all of what is allowed is
// used, and little is asked for in vain.
//
//	go test ./cmd/steno/daemon -run RateLimit -v
func TestRateLimitIsUsed(t *testing.T) {
	cfg := busy
	cfg.RateLimit = 360 // in 30 s; 450 calls would use 600
	crowded(t, cfg, func(t *testing.T, c *crowd) {
		const length = 4 * time.Minute
		var good, bad, late uint64
		count := func() (ok, refused uint64) {
			r := c.org.Ledger().Requests[orgsim.CreateBulkTranscriptMessages]
			return r["200"], r["429"]
		}
		begun := false
		c.play(450, length, func(at time.Duration, _ *client.Utterance) {
			if !begun && at >= time.Minute { // after the limit was learned
				begun = true
				good, bad = count()
			}
			if begun && at < length {
				late, _ = count()
			}
		})
		_, refused := count()
		allowed := uint64(cfg.RateLimit) * uint64((length-time.Minute)/(30*time.Second))
		t.Logf("%d requests taken of %d allowed, %.1f %%; %d refused in the first minute, %d later",
			late-good, allowed, 100*float64(late-good)/float64(allowed), bad, refused-bad)
		if late-good < allowed*95/100 {
			t.Errorf("%d requests taken of %d that were allowed", late-good, allowed)
		}
		if refused > 100 {
			t.Errorf("%d requests refused: a storm", refused)
		}
	})
}
