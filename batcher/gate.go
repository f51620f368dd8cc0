package batcher

import (
	"math/rand/v2"
	"time"
)

// gate holds the whole org's requests back after trouble that is not one
// call's own.
//
//	G1  while it is shut nothing is sent
//	G2  after it has been shut, one request tries the org at a time, until one
//	    succeeds
//	G3  each trouble in a row shuts it for longer, up to its kind's longest;
//	    what Salesforce asks for counts where it is more, up to maxAsked
//	G4  the outcome of a request that left before the gate was last shut neither
//	    opens it nor makes the wait longer
type gate struct {
	until   time.Time
	shutAt  time.Time
	trouble Trouble // None: open
	inARow  int
}

// backoff is how long the gate stays shut: first, then twice as long each
// time, to longest.
type backoff struct{ first, longest time.Duration }

// Salesforce counts requests in windows of 30 s, and its own sender waits 5, 10
// and 20 s so as to land in the next one. Spent daily requests come back by the
// rolling day, so minutes are soon enough; so are they for a human's mending.
var waits = [...]backoff{
	Down:      {500 * time.Millisecond, 10 * time.Second},
	Crowded:   {time.Second, 10 * time.Second},
	Throttled: {5 * time.Second, 20 * time.Second},
	Parked:    {time.Minute, 5 * time.Minute},
	Barred:    {5 * time.Second, time.Minute},
}

// maxAsked caps what a Retry-After can ask of us.
const maxAsked = 5 * time.Minute

func (w backoff) after(inARow int) time.Duration {
	d := w.first
	for range inARow {
		if d *= 2; d >= w.longest {
			return w.longest
		}
	}
	return d
}

// jittered is d and up to a quarter of it more, so that many senders do not
// come back in the same instant.
func jittered(d time.Duration, rng *rand.Rand) time.Duration {
	return d + time.Duration(rng.Int64N(int64(d)/4+1))
}

// isNews is G4.
func (g *gate) isNews(sent time.Time) bool { return g.trouble == None || sent.After(g.shutAt) }

// shut notes trouble told by a request that left at sent, where that is news.
func (g *gate) shut(now, sent time.Time, o Outcome, rng *rand.Rand) (news bool) {
	if !g.isNews(sent) {
		return false
	}
	wait := jittered(waits[o.Trouble].after(g.inARow), rng)
	wait = max(wait, min(o.Wait, maxAsked))
	*g = gate{until: now.Add(wait), shutAt: now, trouble: o.Trouble, inARow: g.inARow + 1}
	return true
}

// succeed notes that a request that left at sent was answered as it should be.
// It reports whether the gate had been shut.
func (g *gate) succeed(sent time.Time) bool {
	if g.trouble == None || sent.Before(g.until) {
		return false
	}
	*g = gate{}
	return true
}

// admits says how many requests may be in flight now, where the gate is the
// only bound but limit.
func (g *gate) admits(now time.Time, limit int) int {
	switch {
	case g.trouble == None:
		return limit
	case now.Before(g.until):
		return 0
	default:
		return 1
	}
}
