package batcher

import (
	"time"

	"example.com/steno/batcher/spool"
)

// endings remembers which calls have ended, and when.
//
//	E1  a call is in at if and only if it has ended and has not begun anew
//	E2  waiting holds the calls whose grace is not over, in the order in which
//	    they were told; entries of calls that have begun anew are skipped
//	E3  what was told more than a day ago, and before that the oldest of more
//	    than maxEndings, is forgotten
//	E4  the buffer of a call that is in at knows that its call has ended
type endings struct {
	at      map[string]time.Time
	waiting []ending
	told    []ending
}

type ending struct {
	call string
	at   time.Time
}

const (
	// endingsKept is how long after its end a straggler of a call is known.
	endingsKept = 24 * time.Hour
	maxEndings  = 200_000

	// flushTime is how long the last words of a call may take to leave before
	// they count as late: Salesforce does not close a conversation in the
	// instant in which an engine says that it is over.
	flushTime = 5 * time.Second
)

func newEndings() endings { return endings{at: map[string]time.Time{}} }

func (e *endings) add(call string, at time.Time) {
	e.at[call] = at
	e.waiting = append(e.waiting, ending{call, at})
	e.told = append(e.told, ending{call, at})
	for len(e.told) > maxEndings || at.Sub(e.told[0].at) > endingsKept { // E3
		if old := e.told[0]; e.at[old.call].Equal(old.at) {
			delete(e.at, old.call)
		}
		e.told = e.told[1:]
	}
}

// resume is for a call that goes on after all.
func (e *endings) resume(call string) { delete(e.at, call) }

// next is the end of the call whose grace is over first; zero: none waits.
func (e *endings) next() time.Time {
	for len(e.waiting) > 0 {
		if w := e.waiting[0]; e.at[w.call].Equal(w.at) { // E2
			return w.at
		}
		e.waiting = e.waiting[1:]
	}
	return time.Time{}
}

// end takes in the mark of a call's end: nothing of it waits for company any
// more. A mark that does not say when was written before marks did.
func (p *packer) end(now time.Time, mark *spool.Record, b *buffer) {
	at := mark.Received
	if at.IsZero() || at.After(now) {
		at = now
	}
	p.endings.add(mark.Call, at)
	if b != nil {
		p.unqueue(b)
		b.ended = true
		p.enqueue(now, b)
	}
}

// endOf is when a buffer's call has ended, if it has.
func (p *packer) endOf(b *buffer) (at time.Time, ended bool) {
	if !b.ended { // E4: most have not
		return time.Time{}, false
	}
	at, ended = p.endings.at[b.call]
	return at, ended
}

// after says whether an utterance comes after its call's end, and after the
// grace too. One of a stream says that the call goes on. A dead letter that
// somebody retries is sent all the same: he knows better than the mark.
func (p *packer) after(now time.Time, r *spool.Record) (end, grace bool) {
	at, ended := p.endings.at[r.Call]
	if !ended {
		return false, false
	}
	if r.Stream.ID != "" && r.Received.After(at) || r.Retried() != 0 {
		p.endings.resume(r.Call)
		return false, false
	}
	return true, p.graceOver(now, at)
}

// graceOver says whether what ended at a time is too old to be sent.
func (p *packer) graceOver(now, at time.Time) bool {
	return p.lim.EndGrace > 0 && now.Sub(at) >= p.lim.EndGrace
}

// expire rejects what still waits of the calls whose grace is over (R10). What
// is in flight is left to its answer, and to release.
func (p *packer) expire(now time.Time) {
	for at := p.endings.next(); !at.IsZero() && p.graceOver(now, at); at = p.endings.next() {
		call := p.endings.waiting[0].call
		p.endings.waiting = p.endings.waiting[1:]
		if b := p.calls[call]; b != nil && !b.inFlight {
			p.unqueue(b)
			p.giveUp(now, b)
			p.enqueue(now, b)
		}
	}
}

// giveUp rejects all that a buffer holds.
func (p *packer) giveUp(now time.Time, b *buffer) {
	for _, e := range b.entries {
		for _, u := range e.Utterances {
			p.over = append(p.over, Settled{Utterance: u, Rejected: ReasonCallEnded, Answered: now})
			p.held--
		}
	}
	b.entries, b.urgent = nil, 0
	b.clear(b.suspects, true)
}

// takeOver hands out what R10 has rejected since it was last asked.
func (p *packer) takeOver() []Settled {
	over := p.over
	p.over = nil
	return over
}
