package batcher

import (
	"cmp"
	"slices"
	"time"
)

// Settled is an utterance whose fate is known.
type Settled struct {
	*Utterance
	Rejected string    // the reason; empty: delivered
	Words    string    // Salesforce's own, of a rejection; never for the log
	Answered time.Time // when Salesforce's answer was there
}

// The reasons for which the packer itself gives an utterance up. A Sender's
// Result has further ones.
const (
	ReasonUnknownCall = "unknown_call" // Salesforce did not know the call within Limits.Grace
	ReasonRefused     = "refused"      // Salesforce refuses it without saying why, also when it is alone
	ReasonCallEnded   = "call_ended"   // its call is over, and so is Limits.EndGrace
)

// rests is how long a call rests after a refusal of its own.
var rests = backoff{500 * time.Millisecond, 30 * time.Second}

// done takes the outcome of a request and returns what is settled by it, in
// the order of the request.
func (p *packer) done(now time.Time, r Request, o Outcome) []Settled {
	p.learn(now, r, o)
	p.inFlight--
	settled := make([]Settled, 0, r.Messages())
	for i := len(r.Entries) - 1; i >= 0; i-- { // from the end: what goes back is put before what went back already (R1)
		settled = p.doneEntry(now, r, i, o, settled)
	}
	for i := range r.Entries {
		p.release(now, r.Entries[i].from)
	}
	slices.Reverse(settled)
	p.held -= len(settled)
	return settled
}

// learn takes in what an outcome says of the org.
func (p *packer) learn(now time.Time, r Request, o Outcome) {
	p.pace.budget.learn(o.Usage)
	if o.Trouble == None {
		p.gate.succeed(r.sent)
		p.flight.succeed()
		p.window.succeed(now, r)
		if slices.ContainsFunc(o.Results, func(v Result) bool { return v.Verdict == Deliver }) {
			p.goodAt = later(p.goodAt, r.sent)
		}
		return
	}
	p.window.strike(r)
	if o.Trouble == Throttled && p.gate.isNews(r.sent) {
		if explained := p.window.refuse(now, r); explained && p.gate.trouble == None { // W3, W4
			return
		}
	}
	if p.gate.shut(now, r.sent, o, p.rng) && (o.Trouble == Throttled || o.Trouble == Crowded) {
		p.flight.cut(p.inFlight)
	}
}

// doneEntry appends to settled what is final of the request's entry i, last
// utterance first, and puts the rest back to the head of its call (R7).
func (p *packer) doneEntry(now time.Time, r Request, i int, o Outcome, settled []Settled) []Settled {
	e := r.Entries[i]
	b := e.from
	v := p.judge(now, b, o.Results[i], r.Messages() == 1)
	before := len(settled)
	settled, again := split(settled, e, v, o.Answered)
	if n := len(settled) - before; n > 0 {
		b.clear(n, v.Verdict == Reject)
		if b.suspects == 0 {
			b.doubts = 0
		}
	}
	if len(again) == 0 {
		return settled
	}
	e.Utterances = again
	b.unshift(e)
	switch {
	case v.Verdict == Suspect:
		b.suspect(len(again), r.apart)
	case o.Trouble == None:
		b.refused = true
	}
	return settled
}

// judge turns the verdicts that depend on a call's past into final ones.
func (p *packer) judge(now time.Time, b *buffer, v Result, alone bool) Result {
	if v.Verdict != NotYet {
		b.unknown = time.Time{}
	}
	if v.Verdict == Doubt {
		v.Verdict = p.doubt(now, b, alone)
	}
	switch {
	case v.Verdict == Suspect && alone:
		v.Verdict, v.Reason = Reject, ReasonRefused
	case v.Verdict == NotYet && b.unknown.IsZero():
		b.unknown = now
	case v.Verdict == NotYet && now.Sub(b.unknown) >= p.lim.Grace:
		v.Verdict, v.Reason = Reject, ReasonUnknownCall
	}
	return v
}

const (
	maxDoubts     = 3                // failures in a row that may be the org's
	doubtPatience = 10 * time.Second // at least so long does an utterance fail alone before it is given up
)

// doubt turns a failure that may be the request's own into a verdict (R8). It
// stays the org's as long as the org has taken nothing else since: an outage
// must cost nobody an utterance.
func (p *packer) doubt(now time.Time, b *buffer, alone bool) Verdict {
	if b.doubts == 0 {
		b.doubtedAt = now
	}
	b.doubts++
	switch {
	case b.suspects > 0 && !alone:
		return Suspect
	case b.doubts <= maxDoubts, !p.goodAt.After(b.doubtedAt), alone && now.Sub(b.doubtedAt) < doubtPatience:
		return Retry
	}
	return Suspect
}

// split parts an entry into what its verdict settles, which it appends to
// settled, last first, and what must be sent again.
func split(settled []Settled, e Entry, v Result, answered time.Time) (_ []Settled, again []*Utterance) {
	for _, u := range slices.Backward(e.Utterances) {
		verdict := v.Verdict
		if len(v.Only) > 0 && !slices.Contains(v.Only, u.MessageID) {
			verdict = cmp.Or(v.Others, Deliver)
		}
		switch verdict {
		case Deliver:
			settled = append(settled, Settled{Utterance: u, Answered: answered})
		case Reject:
			settled = append(settled, Settled{Utterance: u, Rejected: v.Reason, Words: v.Words, Answered: answered})
		default:
			u.Ambiguous = u.Ambiguous || v.Ambiguous
			again = append(again, u)
		}
	}
	slices.Reverse(again)
	return settled, again
}

// release frees the lane of a call. A call that was refused rests, each time
// in a row for longer. It may stand in several entries: the first releases it.
func (p *packer) release(now time.Time, b *buffer) {
	if !b.inFlight {
		return
	}
	b.inFlight = false
	if b.refused {
		b.rest = min(max(2*b.rest, rests.first), rests.longest)
		b.restedAt = now.Add(jittered(b.rest, p.rng))
	} else {
		b.rest, b.restedAt = 0, time.Time{}
	}
	b.refused = false
	if at, ended := p.endOf(b); ended && p.graceOver(now, at) { // R10
		p.giveUp(now, b)
	}
	p.enqueue(now, b)
}
