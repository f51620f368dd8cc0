package batcher

import (
	"math"
	"time"
)

// Pace is how the budget is doing.
type Pace struct {
	On      bool          // utterances wait for longer than MaxWait, to cost less
	Spent   bool          // our share of the day is used up: nothing is sent until a part of it comes back
	Wait    time.Duration // how long an utterance may wait for company
	Known   bool          // whether anything is known of the budget; if not, the fields below are zero
	Left    float64       // requests of our share that are left
	RunsOut time.Duration // until nothing is left, at the pace of the last minutes; zero: not within a day
}

const (
	// tickEvery is how often the wait is looked at, and memory how long the
	// rates remember.
	tickEvery = 10 * time.Second
	memory    = time.Minute
	// calm is how long the rates for the forecast remember.
	calm = 15 * time.Minute
)

// pace stretches the wait for company when the day's requests would not last.
//
//	T1  the wait is from MaxWait to StretchWait; at MaxWait, and with the budget
//	    letting an utterance cost what it does, the pace is off
//	T2  every tickEvery it is moved by what an utterance costs and what it may
//	    cost, at most by a quarter
//	T3  when nothing is known of the budget the pace is off
type pace struct {
	lim    Limits
	budget budget
	wait   time.Duration
	on     bool

	next                 time.Time // tick
	utterances, requests float64   // since the last tick, those of siblings included
	speech, sent         float64   // a second, smoothed over memory

	ownUtterances, ownRequests uint64 // since the beginning, without those of siblings
}

func newPace(lim Limits) pace {
	return pace{lim: lim, wait: lim.MaxWait, budget: budget{reserve: lim.Reserve, usual: lim}}
}

// heard books an utterance that has come.
func (p *pace) heard(now time.Time) {
	p.ownUtterances++
	p.alsoHeard(now, 1)
}

// alsoHeard books utterances that have come, here or to siblings.
func (p *pace) alsoHeard(now time.Time, n uint64) {
	p.budget.at(now).Utterances += float64(n)
	p.utterances += float64(n)
}

// left books a request that leaves.
func (p *pace) left(now time.Time) {
	p.ownRequests++
	p.alsoLeft(now, 1)
}

// alsoLeft books requests that leave, here or from siblings.
func (p *pace) alsoLeft(now time.Time, n uint64) {
	p.budget.book(now, float64(n))
	p.requests += float64(n)
}

// tick moves the wait where it is time to. It reports whether it has changed.
func (p *pace) tick(now time.Time) (changed bool) {
	if p.budget.since.IsZero() {
		p.budget.since, p.next = now, now.Add(tickEvery)
	}
	if now.Before(p.next) {
		return false
	}
	p.budget.at(now) // a slot in which nothing is said is known too
	p.rates(now)
	before := p.wait
	p.move(now)
	return p.wait != before
}

// rates smooths what has been counted since the last tick, which may be long
// ago: then nothing has happened since.
func (p *pace) rates(now time.Time) {
	passed := now.Sub(p.next) + tickEvery
	blend := func(old, count float64, over time.Duration) float64 {
		keep := math.Exp(-passed.Seconds() / over.Seconds())
		return old*keep + count/passed.Seconds()*(1-keep)
	}
	p.speech, p.sent = blend(p.speech, p.utterances, memory), blend(p.sent, p.requests, memory)
	p.budget.rate = blend(p.budget.rate, p.utterances, calm)
	p.utterances, p.requests, p.next = 0, 0, now.Add(tickEvery)
}

// move is T1 to T3.
func (p *pace) move(now time.Time) {
	may := p.budget.cost(now)
	if p.lim.StretchWait <= p.lim.MaxWait || math.IsInf(may, 1) || p.speech == 0 {
		p.on, p.wait = false, p.lim.MaxWait
		return
	}
	costs := p.sent / p.speech
	if !p.on {
		p.on = costs > may
		return
	}
	by := 1.25
	if may > 0 {
		by = min(1.25, max(0.8, (costs/may)*(costs/may)))
	}
	floor := max(p.lim.MaxWait, 10*time.Millisecond)
	p.wait = min(max(time.Duration(float64(max(p.wait, floor))*by), floor), p.lim.StretchWait)
	if p.wait == floor && costs < may*0.95 {
		p.on, p.wait = false, p.lim.MaxWait
	}
}

// show is the state for people.
func (p *pace) show(now time.Time) Pace {
	s := Pace{On: p.on, Wait: p.wait, Known: p.budget.known()}
	if !s.Known {
		return s
	}
	s.Left = max(0, p.budget.left(now))
	s.Spent = p.budget.opens(now).After(now)
	if runs := s.Left / p.sent; p.sent > 0 && runs < (24*time.Hour).Seconds() {
		s.RunsOut = time.Duration(runs * float64(time.Second))
	}
	return s
}
