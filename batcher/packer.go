package batcher

import (
	"math/rand/v2"
	"time"

	"example.com/steno/batcher/spool"
)

// Limits bound what the packer does. Every field must be set, but the graces and those
// of the budget.
type Limits struct {
	MaxEntries  int           // in a request. Salesforce: at most 5 voice calls a request
	MaxMessages int           // in an entry. Salesforce: at most 5 messages a call
	MaxInFlight int           // requests at once, all calls together
	MaxWait     time.Duration // the longest an utterance waits for company while its call is free
	MixSpeakers bool          // may an entry mix speakers? Salesforce advises one participant an entry
	StretchWait time.Duration // MaxWait when the day's requests are short. At most MaxWait: it never is
	Reserve     float64       // the share of the org's daily requests that is left to others, 0…1
	Grace       time.Duration // how long Salesforce may not know a call before its utterances are rejected
	EndGrace    time.Duration // how long after a call's end what it said may still be sent; zero: for ever
	Siblings    int           // how many other Batchers work on calls of the same org, told by Hear
}

// packer decides what is sent when. It is plain data: no goroutine, lock,
// clock or I/O; the caller passes the time in.
//
//	R1  utterances of a call leave in the order in which they came
//	R2  no request exceeds MaxEntries, no entry MaxMessages
//	R3  at most one request of a call is in flight: its lane
//	R4  a request is due as soon as any of these holds for calls whose lane is
//	    free: MaxEntries entries are ready; an utterance is urgent; a call has
//	    ended; the oldest utterance has waited MaxWait; nothing more will come
//	R5  urgent utterances go first, then those that have been due longest. What
//	    is due longest is what came first, so this is earliest deadline first.
//	    Calls whose first utterance is older than staleAfter, a backlog that no
//	    agent waits for any more, take turns with the others
//	R6  an urgent utterance that is all that waits of its call goes alone, by
//	    createTranscriptMessage; with others of its call before it, they go with
//	    it in one request, which others may join
//	R7  what must be sent again goes back to the head of its call; a refusal
//	    that is the call's own makes the call rest, trouble of the org shuts the
//	    gate
//	R8  a request that may hold poison is sent again one call at a time, then in
//	    halves, until the poison is alone; it is rejected, the rest goes. One
//	    that only failed may hold poison if that stays while others fare well
//	R9  memory is proportional to the utterances held: a call of which nothing
//	    waits or is in flight is forgotten, but for the ended ones of a day. Up to
//	    maxSpare of their buffers are used again
//	R10 what is said of a call that ended more than EndGrace ago is not sent but
//	    rejected: Salesforce takes no more of a closed conversation. An utterance
//	    of a stream begins the call anew, and so does a dead letter that is
//	    retried; one that came over HTTP does not
//	R11 no more requests are in flight than flight allows, and none leaves before
//	    window opens, or while a sibling holds the org back
//	R12 when the day's requests are short (pace), MaxWait is longer, and five
//	    entries are ready only when they are full: the others may yet grow. What
//	    is urgent goes at once, and takes company along. When our share of them
//	    is used up nothing goes
type packer struct {
	lim      Limits
	calls    map[string]*buffer
	spare    []*buffer // of no call
	ready    queue     // may go, with company
	stale    queue     // the same, and old (R5)
	apart    queue     // may go, without company: there may be poison (R8)
	resting  queue     // may go later (R7)
	entries  int       // in ready
	full     int       // of them, those that cannot grow
	turn     bool      // of the stale ones
	held     int       // utterances waiting or in flight
	inFlight int       // requests
	gate     gate
	flight   flight
	window   window
	pace     pace
	endings  endings
	siblings siblings
	name     string    // among the siblings
	life     uint64    // see Share
	over     []Settled // rejected by R10, until the caller takes them
	goodAt   time.Time // when the newest request left that the org has taken
	draining bool
	rng      *rand.Rand
}

// staleAfter is the age at which speech is history.
const staleAfter = 10 * time.Second

// newPacker returns an empty packer. The rng makes waits differ from sender to
// sender; it never decides about order.
func newPacker(lim Limits, rng *rand.Rand) *packer {
	p := &packer{lim: lim, calls: map[string]*buffer{}, rng: rng, flight: newFlight(lim.MaxInFlight), pace: newPace(lim), endings: newEndings(), siblings: siblings{}}
	p.ready.less, p.stale.less, p.apart.less = sooner, sooner, sooner
	p.resting.less = func(a, b *buffer) bool { return a.restedAt.Before(b.restedAt) }
	return p
}

// rank gives a buffer that holds something its rank.
func (p *packer) rank(b *buffer) {
	b.rank = rank{b.urgent > 0, b.due(p.wait()), b.entries[0].Utterances[0].Position}
}

// wait is how long an utterance may wait for company.
func (p *packer) wait() time.Duration {
	if p.draining {
		return 0
	}
	return p.pace.wait
}

// add takes what the spool has read, and returns the utterance that it makes of
// r; nil: it is the mark of a call's end.
func (p *packer) add(now time.Time, r *spool.Record) *Utterance {
	b := p.calls[r.Call]
	if r.Ended {
		p.end(now, r, b)
		return nil
	}
	u := &Utterance{Record: r}
	ended, over := p.after(now, r)
	if over {
		p.over = append(p.over, Settled{Utterance: u, Rejected: ReasonCallEnded, Answered: now})
		return u
	}
	if b == nil {
		b = p.begin(r.Call)
	}
	since := r.Received
	if since.After(now) { // the clock was set back, or another machine's stamped it
		since = now
	}
	p.pace.heard(now)
	p.unqueue(b)
	b.ended = ended
	b.add(u, since, p.lim)
	p.held++
	p.enqueue(now, b)
	return u
}

// maxSpare is more than calls begin and are forgotten while a few requests are
// in flight: where little is said, that is once for each utterance.
const maxSpare = 256

// begin gives a call of which nothing is held a buffer.
func (p *packer) begin(call string) (b *buffer) {
	if last := len(p.spare) - 1; last >= 0 {
		b, p.spare = p.spare[last], p.spare[:last]
	} else {
		b = new(buffer)
	}
	b.call = call
	p.calls[call] = b
	return b
}

// forget takes the buffer of a call of which nothing is held any more.
func (p *packer) forget(b *buffer) {
	delete(p.calls, b.call)
	*b = buffer{}
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, b)
	}
}

// drain says that nothing more will come.
func (p *packer) drain() {
	p.draining = true
	p.sort()
}

// sort is for when the wait has changed: what waits not at all was before what
// does, and now it may not be.
func (p *packer) sort() {
	for _, q := range []*queue{&p.ready, &p.stale} {
		for _, b := range q.buffers {
			p.rank(b)
		}
		q.sort()
	}
}

// unqueue takes a buffer out of its queue before its order changes.
func (p *packer) unqueue(b *buffer) {
	if b.in == nil {
		return
	}
	if b.in == &p.ready {
		p.entries, p.full = p.entries-len(b.entries), p.full-p.fullOf(b)
	}
	b.in.remove(b)
}

// enqueue puts a buffer into the queue where it belongs now, or forgets it (R9).
func (p *packer) enqueue(now time.Time, b *buffer) {
	if len(b.entries) > 0 {
		p.rank(b)
	}
	switch {
	case b.inFlight:
	case len(b.entries) == 0:
		p.forget(b)
	case b.restedAt.After(now):
		p.resting.put(b)
	case b.suspects > 0:
		p.apart.put(b)
	case b.urgent == 0 && now.Sub(b.entries[0].oldest) > staleAfter:
		p.stale.put(b)
	default:
		p.ready.put(b)
		p.entries, p.full = p.entries+len(b.entries), p.full+p.fullOf(b)
	}
}

// fullOf counts a buffer's full entries.
func (p *packer) fullOf(b *buffer) int {
	n := 0
	for i := range b.entries {
		n += p.ifFull(&b.entries[i])
	}
	return n
}

func (p *packer) ifFull(e *Entry) int {
	if len(e.Utterances) >= p.lim.MaxMessages {
		return 1
	}
	return 0
}

// enough is the part of R4 and R12 that is about five entries.
func (p *packer) enough() bool {
	if p.pace.on {
		return p.full >= p.lim.MaxEntries
	}
	return p.entries >= p.lim.MaxEntries
}

// rouse moves the calls that have rested to where they may be sent.
func (p *packer) rouse(now time.Time) {
	for b := p.resting.first(); b != nil && !b.restedAt.After(now); b = p.resting.first() {
		p.unqueue(b)
		p.enqueue(now, b)
	}
}

// next returns a request that is due at now, if there is one and it may go.
func (p *packer) next(now time.Time) (Request, bool) {
	p.rouse(now)
	p.expire(now)
	if p.pace.tick(now) {
		p.sort()
	}
	if p.inFlight >= p.admits(now) {
		return Request{}, false
	}
	opens, proof := p.opens(now)
	if opens.After(now) {
		return Request{}, false
	}
	fresh, stale, suspect := p.ready.first(), p.stale.first(), p.apart.first()
	if fresh != nil && !p.enough() && fresh.due(p.wait()).After(now) { // R4
		fresh = nil
	}
	if fresh != nil && stale != nil && fresh.urgent == 0 { // R5
		if p.turn = !p.turn; p.turn {
			fresh = nil
		}
	}
	first, pick := fresh, p.pickReady
	if first == nil {
		first, pick = stale, p.pickStale
	}
	if suspect != nil && (first == nil || sooner(suspect, first)) {
		first, pick = suspect, p.pickSuspect
	}
	if first == nil {
		return Request{}, false
	}
	return p.take(now, pick, proof), true
}

// opens is R11 and R12: when the next request may leave.
func (p *packer) opens(now time.Time) (at time.Time, proof bool) {
	if at := p.pace.budget.opens(now); at.After(now) {
		return at, false
	}
	return p.window.opens(now, p.gate.trouble == None)
}

// wake returns when next should be asked again although nothing has been added
// or done; zero: not before.
func (p *packer) wake(now time.Time) time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if b := p.resting.first(); b != nil {
		sooner(b.restedAt)
	}
	if end := p.endings.next(); p.lim.EndGrace > 0 && !end.IsZero() {
		sooner(end.Add(p.lim.EndGrace))
	}
	b := p.ready.first()
	opens, _ := p.opens(now)
	switch {
	case b == nil && p.stale.first() == nil && p.apart.first() == nil:
	case now.Before(p.siblingsHold()):
		sooner(later(p.siblingsHold(), p.gate.until))
	case now.Before(p.gate.until):
		sooner(p.gate.until)
	case p.inFlight >= p.admits(now):
		// The next outcome wakes.
	case opens.After(now):
		sooner(opens)
	case b != nil:
		sooner(b.due(p.wait()))
	}
	return at
}

// idle says whether nothing waits and nothing is in flight.
func (p *packer) idle() bool { return p.held == 0 && p.inFlight == 0 }
