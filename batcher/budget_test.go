package batcher

import (
	"math"
	"testing"
	"time"
)

// midnight is where the budget's tests begin; a slot begins there.
var midnight = time.Unix(1_700_006_400, 0).UTC()

func near(got, want float64) bool { return math.Abs(got-want) <= math.Abs(want)*.02 }

// spend books requests and utterances evenly, every ten seconds, for a time.
func (b *budget) spend(from time.Time, d time.Duration, utterances, requests float64) {
	for at := from; at.Before(from.Add(d)); at = at.Add(10 * time.Second) {
		b.spent(at)
		s := b.at(at)
		s.Utterances += utterances
		s.Requests += requests
		b.sum += requests
	}
}

func TestBudgetShare(t *testing.T) {
	b := &budget{reserve: .2}
	if cost := b.cost(midnight); b.known() || !math.IsInf(cost, 1) {
		t.Errorf("an utterance may cost %v while nothing is known", cost)
	}
	b.spend(midnight, time.Hour, 1, 1) // 360
	now := midnight.Add(time.Hour)
	b.learn(Usage{Used: 1360, Max: 10_000, At: now})
	if got := b.left(now); got != 8000-1000-360 {
		t.Errorf("D1: %v left, want 10,000 less the reserve, the 1,000 of others and the 360 of ours", got)
	}
	b.learn(Usage{Used: 0, Max: 10, At: now.Add(-time.Minute)})
	if b.usage.Max != 10_000 {
		t.Error("older news was believed")
	}
	b.spend(now, time.Hour, 1, 1)
	now = now.Add(time.Hour)
	if got := b.left(now); got != 8000-1000-720 {
		t.Errorf("D1: %v left after an hour more, want 360 less", got)
	}
	if got := b.left(midnight.Add(24*time.Hour + 14*time.Minute)); got != 8000-1000-720 {
		t.Errorf("D2: %v left before the first slot is a day old", got)
	}
	if got := b.left(midnight.Add(24*time.Hour + 16*time.Minute)); got != 8000-1000-720+90 {
		t.Errorf("D2: %v left when the first slot is a day old, want its 90 back", got)
	}
}

func TestBudgetCost(t *testing.T) {
	// Nothing known of yesterday: as much speech as now, all day long.
	b := &budget{reserve: 0, rate: 2, since: midnight}
	b.learn(Usage{Used: 0, Max: 86_400, At: midnight})
	if got := b.cost(midnight); !near(got, .5) {
		t.Errorf("D4: an utterance may cost %v, want half a request: 2 a second, and a request a second", got)
	}
	// Half of it is spent in the first six hours; it comes back tomorrow.
	b.spend(midnight, 6*time.Hour, 20, 20)
	if got := b.cost(midnight.Add(6 * time.Hour)); !near(got, (86_400-43_200)/(2*18*3600.0)) {
		t.Errorf("D3: an utterance may cost %v, want what is left over 18 hours", got)
	}

	// Yesterday all speech was between 8 and 10.
	b = &budget{reserve: 0, rate: 2, since: midnight}
	b.learn(Usage{Used: 0, Max: 10_000, At: midnight})
	b.spend(midnight, 32*time.Hour, 0, 0)
	b.spend(midnight.Add(8*time.Hour), 2*time.Hour, 20, 0)
	if got := b.cost(midnight.Add(32 * time.Hour)); !near(got, 10_000/14_400.0) {
		t.Errorf("D4: an utterance may cost %v, want all requests for the 14,400 utterances of two hours", got)
	}
	// Today is twice as busy as yesterday was.
	b.spend(midnight.Add(32*time.Hour), time.Hour, 40, 0)
	if got, want := b.cost(midnight.Add(33*time.Hour)), 10_000/(2*7_200+2*14_400.0); !near(got, want) {
		t.Errorf("D4: an utterance may cost %v on a busier day, want %v: twice an hour of yesterday, and as much tomorrow", got, want)
	}
}

func TestBudgetIsSpent(t *testing.T) {
	b := newBench(t, Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 64, MaxWait: time.Second, StretchWait: 5 * time.Second, Reserve: .5})
	b.now = midnight.Add(time.Minute)
	b.p.pace.budget.learn(Usage{Used: 0, Max: 4, At: b.now})
	b.say("a:x!", "b:x!", "c:x!")
	b.want("D5: two of four are ours", "a[1] single", "b[2] single")
	if at := b.p.wake(b.now); !at.Equal(midnight.Add(15 * time.Minute)) {
		t.Errorf("D5: asked again at %v, want when the next slot begins", at)
	}
	if p := b.p.pace.show(b.now); !p.Spent || p.Left != 0 {
		t.Errorf("the pace shows %+v, want spent", p)
	}
	b.pass(24 * time.Hour)
	b.want("D2: they are back a day later")
	b.pass(15 * time.Minute)
	b.want("D2: when their slot is a day old", "c[3] single")
}

// R12, T1: while requests are short utterances wait for longer, and urgent ones
// do not but take company along.
func TestPaceStretchesTheWait(t *testing.T) {
	lim := limits
	lim.StretchWait = 5 * time.Second
	b := newBench(t, lim)
	b.now = midnight
	b.p.pace.tick(b.now)
	b.p.pace.budget.learn(Usage{Max: 1000, At: b.now})
	for range 60 { // a minute of an utterance a second, each alone in its request
		b.say("a:x")
		b.pass(time.Second)
		b.sent()
		b.answer(ok, None)
	}
	if p := b.p.pace.show(b.now); !p.On || p.RunsOut == 0 || p.RunsOut > 30*time.Minute {
		t.Errorf("the pace is %+v, want on: a request a second empties 1,000 in minutes", p)
	}
	for range 300 {
		b.say("a:x")
		b.pass(time.Second)
		b.sent()
		for len(b.inAir) > 0 {
			b.answer(ok, None)
		}
	}
	if wait := b.p.wait(); wait != 5*time.Second {
		t.Errorf("T1: the wait is %v, want StretchWait: 1,000 requests for 86,400 utterances", wait)
	}
	b.pass(time.Minute)
	b.sent()
	b.inAir = nil
	b = &bench{t: t, p: b.p, now: b.now, pos: 1000}
	b.say("b:x", "c:x", "d:x", "e:x", "f:x")
	b.want("R12: five entries that may grow are not enough")
	b.say("g:x!")
	b.want("R12: urgent takes company along", "g[1006] b[1001] c[1002] d[1003] e[1004]")

	// With a larger allowance it ends.
	b.p.pace.budget.learn(Usage{Max: 10_000_000, At: b.now})
	for range 300 {
		b.say("h:x")
		b.pass(time.Second)
		b.sent()
	}
	if b.p.pace.on || b.p.wait() != lim.MaxWait {
		t.Errorf("T1: the pace is still on, the wait %v", b.p.wait())
	}
}

func TestHistory(t *testing.T) {
	b := &budget{since: midnight}
	b.spend(midnight, 6*time.Hour, 7, 3)
	again := &budget{}
	again.recall(b.recent(midnight.Add(6 * time.Hour)))
	if got, want := again.spent(midnight.Add(7*time.Hour)), b.spent(midnight.Add(7*time.Hour)); got != want || got == 0 {
		t.Errorf("%v spent after a restart, want %v", got, want)
	}
	if s, ok := again.seen(midnight.Unix() / 900); !ok || !s.Whole || s.Utterances != 7*90 {
		t.Errorf("the first slot is %+v after a restart", s)
	}
	again.recall([]Slot{{Number: -5}, {Number: 3, Requests: -1}}) // hand-made nonsense
	if got := again.spent(midnight.Add(7 * time.Hour)); got != b.spent(midnight.Add(7*time.Hour)) {
		t.Errorf("nonsense was believed: %v spent", got)
	}
}
