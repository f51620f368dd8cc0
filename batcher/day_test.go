package batcher

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/bench/workload"
)

var wholeDay = flag.Bool("day", false, "simulate whole days of up to 1,000 calls, which takes minutes")

// hours are a contact centre's calls by the hour, as a share of the peak: the
// morning's ramp, two peaks, lunch, the evening, and a few at night.
var hours = [24]float64{.02, .02, .02, .02, .02, .02, .03, .1, .5, .9, 1, 1, .7, .7, 1, 1, .9, .7, .4, .2, .1, .05, .03, .02}

// share is the calls at a time of the day, as a share of the peak.
func share(at time.Duration) float64 {
	h := at.Hours()
	i := int(h)
	part := h - float64(i)
	return hours[i%24]*(1-part) + hours[(i+1)%24]*part
}

// day is one simulation: real calls against an org with a daily allowance.
type day struct {
	calls   int           // at the peak
	max     int64         // the org's requests a day
	wait    time.Duration // fixed; zero: paced
	paced   bool
	before  time.Duration // there was a day before, on which all waited so long; zero: there was none
	mixed   bool
	blind   bool // nothing limits: for the planner
	reserve float64
}

// dayResult is what the last day came to.
type dayResult struct {
	utterances, requests int
	dry                  time.Duration // of the day, when the allowance was used up; zero: never
	waits                []time.Duration
	wait                 time.Duration // the longest that the pace has asked for
}

func (r dayResult) quantile(q float64) time.Duration {
	return r.waits[min(len(r.waits)-1, int(float64(len(r.waits))*q))]
}

// arrivals are a day's utterances, a slot of the play speaking only while the
// hour has calls for it.
func (d day) arrivals(calls []workload.Call, seed uint64, f func(workload.Arrival)) {
	open := make([]bool, d.calls)
	for a := range workload.Play(calls, workload.PlayOptions{Concurrent: d.calls, Seed: seed, Duration: 24 * time.Hour, RandomPhase: true}) {
		if a.First {
			open[a.Slot] = float64(a.Slot) < share(a.At)*float64(d.calls)
		}
		if open[a.Slot] {
			f(a)
		}
	}
}

// dayRun is a simulation under way.
type dayRun struct {
	day
	p      *packer
	begin  time.Time // of the day
	inAir  []Request
	due    []time.Time // when each is answered
	spent  []time.Time // of the rolling day, as the org counts
	freed  map[string]time.Time
	result dayResult
	pos    spool.Position
}

const dayTrip = 200 * time.Millisecond

func (d day) run(calls []workload.Call) dayResult {
	lim := Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 1000, MaxWait: 200 * time.Millisecond, Reserve: d.reserve, MixSpeakers: d.mixed}
	if d.paced {
		lim.StretchWait = 5 * time.Second
	}
	r := &dayRun{day: d, p: newPacker(lim, rand.New(rand.NewPCG(1, 2))), freed: map[string]time.Time{}}
	first := time.Unix(1_700_006_400, 0).UTC() // a midnight
	r.p.pace.tick(first)
	r.begin = first
	r.fix(d.wait)
	if d.before > 0 {
		r.fix(d.before)
		d.arrivals(calls, 2, func(a workload.Arrival) { r.say(first.Add(a.At), a) })
		r.until(first.Add(24 * time.Hour))
		r.begin, r.result = first.Add(24*time.Hour), dayResult{}
		r.p.pace.on, r.p.pace.next = false, r.begin
		clear(r.freed)
	}
	d.arrivals(calls, 1, func(a workload.Arrival) { r.say(r.begin.Add(a.At), a) })
	r.until(r.begin.Add(24 * time.Hour))
	slices.Sort(r.result.waits)
	return r.result
}

// fix holds the wait as if the pace had stretched it, until somebody else does.
func (r *dayRun) fix(wait time.Duration) {
	if wait > r.p.lim.MaxWait {
		r.p.pace.on, r.p.pace.wait, r.p.pace.next = true, wait, r.begin.Add(1000*time.Hour)
	}
}

// say lets time pass until an utterance comes, and adds it.
func (r *dayRun) say(now time.Time, a workload.Arrival) {
	r.until(now)
	r.pos++
	r.p.add(now, &spool.Record{Position: r.pos, Call: fmt.Sprint(r.begin.Day(), a.Call), Speaker: a.Role.String(), Received: now})
	r.result.utterances++
	r.send(now)
}

// until lets everything happen that happens before now.
func (r *dayRun) until(now time.Time) {
	for at := r.begin; ; {
		next := r.p.wake(at)
		if len(r.due) > 0 && (next.IsZero() || r.due[0].Before(next)) {
			next = r.due[0]
		}
		if next.IsZero() || next.After(now) {
			return
		}
		at = later(at, next)
		for len(r.due) > 0 && !r.due[0].After(at) {
			q := r.inAir[0]
			r.inAir, r.due = r.inAir[1:], r.due[1:]
			r.answer(at, q)
		}
		r.send(at)
	}
}

func (r *dayRun) send(now time.Time) {
	for q, ok := r.p.next(now); ok; q, ok = r.p.next(now) {
		r.inAir, r.due = append(r.inAir, q), append(r.due, now.Add(dayTrip))
		r.result.requests++
		r.result.wait = max(r.result.wait, r.p.pace.wait)
		for _, e := range q.Entries {
			since := later(e.oldest, r.freed[e.Call])
			for _, u := range e.Utterances {
				r.result.waits = append(r.result.waits, now.Sub(later(since, u.Received)))
			}
		}
	}
}

// answer is the org's: it counts a rolling day.
func (r *dayRun) answer(now time.Time, q Request) {
	o := Outcome{Answered: now, Results: make([]Result, len(q.Entries))}
	for len(r.spent) > 0 && now.Sub(r.spent[0]) >= 24*time.Hour {
		r.spent = r.spent[1:]
	}
	refused := !r.blind && int64(len(r.spent)) >= r.max
	if !refused {
		r.spent = append(r.spent, q.sent)
	}
	if r.result.dry == 0 && (float64(len(r.spent)) >= float64(r.max)*(1-r.reserve)-1 || refused) {
		r.result.dry = now.Sub(r.begin)
	}
	for i := range o.Results {
		o.Results[i] = ok
		if refused {
			o.Results[i] = Result{Verdict: Retry}
		}
	}
	if refused {
		o.Trouble = Parked
	}
	if !r.blind {
		o.Usage = Usage{Used: int64(len(r.spent)), Max: r.max, At: now}
	}
	r.p.done(now, q, o)
	for _, e := range q.Entries {
		r.freed[e.Call] = now
	}
}

// TestDay prints what the pace makes of a contact centre's day:
//
//	go test ./batcher -run Day -day -v -timeout 1h
//
// The planner knows the whole day, and chooses the one wait with which our
// share just lasts. "knows yesterday" had a day like it before, which went by
// the planner's wait; "first day" knows nothing, and expects as much speech as
// there is now.
func TestDay(t *testing.T) {
	calls, from, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	sizes, allowances, speakers := []int{10}, []int64{40_000}, []bool{false}
	if *wholeDay {
		sizes, allowances, speakers = []int{50, 200, 1000}, []int64{100_000, 200_000, 1_000_000}, []bool{false, true}
	}
	t.Logf("calls from %s", from)
	t.Logf("%5s %9s %-5s %-16s %10s %9s %7s %8s %8s %8s", "calls", "allowed", "", "", "utterances", "requests", "dry at", "p50", "p99", "mean")
	for _, n := range sizes {
		for _, most := range allowances {
			for _, mixed := range speakers {
				dayTable(t, calls, day{calls: n, max: most, mixed: mixed, reserve: .2})
			}
		}
	}
}

// dayTable prints an org's rows, and holds the pace to its promise.
func dayTable(t *testing.T, calls []workload.Call, d day) {
	head := fmt.Sprintf("%5d %9d %-5s", d.calls, d.max, map[bool]string{false: "one", true: "mixed"}[d.mixed])
	row := func(name string, d day) dayResult {
		r := d.run(calls)
		dry, sum := "never", time.Duration(0)
		if r.dry > 0 {
			dry = time.Time{}.Add(r.dry).Format("15:04")
		}
		for _, wait := range r.waits {
			sum += wait
		}
		short := func(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }
		t.Logf("%s %-16s %10d %9d %7s %8s %8s %8s", head, name, r.utterances, r.requests, dry,
			short(r.quantile(.5)), short(r.quantile(.99)), short(sum/time.Duration(len(r.waits))))
		return r
	}
	row("not paced", d)
	first, taught := d, d
	first.paced, taught.paced = true, true
	row("first day", first)
	wait, requests, possible := plan(calls, d)
	if !possible {
		t.Logf("%s %-16s %10s %9d: more than our share, however long all wait", head, "planner", "", requests)
		return
	}
	taught.before = wait
	if r := row("knows yesterday", taught); r.dry > 0 {
		t.Errorf("%s: the day can be carried, and our share ran dry at %v", head, r.dry)
	}
	planner := d
	planner.blind, planner.wait = true, wait
	row("planner, "+wait.Round(10*time.Millisecond).String(), planner)
}

// plan finds the one wait with which our share just lasts, to a thirtieth of
// the range.
func plan(calls []workload.Call, d day) (wait time.Duration, requests int, possible bool) {
	d.blind = true
	ours := int(float64(d.max) * (1 - d.reserve) * .99) // this day is not quite like the one before
	try := func(wait time.Duration) bool {
		d.wait = wait
		requests = d.run(calls).requests
		return requests < ours
	}
	low, high := 200*time.Millisecond, 5*time.Second
	if try(low) {
		return low, requests, true
	}
	if !try(high) {
		return high, requests, false
	}
	for range 5 {
		if middle := (low + high) / 2; try(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, requests, true
}
