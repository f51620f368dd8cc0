package batcher

import (
	"slices"
	"sort"
	"time"
)

const (
	// span is the window in which Salesforce counts requests, and a little more
	// for the way to it, which takes now this long and now that. Salesforce does
	// not say how many it allows; its own sender waits for the next window.
	span = 30*time.Second + 300*time.Millisecond

	// proofEvery is how often a known limit is put to the proof while more
	// would go than it allows: soon after a proof that went well, since the
	// limit may be far too low, and rarely after one that was refused.
	proofEvery, proofSoon = span, 2 * time.Second

	// maxRefused is how many refusals in a row a known limit explains.
	maxRefused = 5
	recovery   = 250 * time.Millisecond

	// leastLimit is the least that two refusals can teach.
	leastLimit = 10

	// forgetAfter is how long a limit is believed without a refusal.
	forgetAfter = 5 * time.Minute
)

// window learns how many requests the org takes in its rate-limit window, and
// then asks for no more: waiting out one refusal after the other would waste
// most of what is allowed.
//
//	W1  the limit is unknown, and nothing is held back, until the org has
//	    refused twice within span; then it is the most that went well within
//	    the span before either refusal, but not below leastLimit: few went well
//	    perhaps because few were needed
//	W2  while it is known, requests leave one by one, a limit's part of span
//	    apart, and no more than limit within span
//	W3  now and then one request leaves above the limit: the proof. When it goes
//	    well, the limit grows by one, and by twice as much each time in a row;
//	    when it is refused, the limit was right, and nobody else is held back
//	W4  when another request is refused, the limit was too high, and becomes what
//	    went well before it; the next one leaves recovery later, and twice and
//	    three times that when it is refused in its turn. The gate is not shut for
//	    that until it has happened maxRefused times in a row
//	W5  a limit that no refusal has confirmed for forgetAfter is unknown again
type window struct {
	left    []time.Duration // of the requests that went well or are in flight, those of the last two spans, in order: how long after epoch
	epoch   time.Time       // when one left first
	limit   int             // zero: unknown
	refused time.Time       // the last refusal; zero: none that counts
	proofAt time.Time       // not before then is the limit put to the proof
	step    int             // by how much the limit has last grown; zero: the last proof was refused
	inARow  int             // refusals of others since a request last went well
	rested  time.Time       // not before then does any leave
}

// opens returns when the next request may leave, and whether it is a proof,
// where there may be one.
func (w *window) opens(now time.Time, mayProve bool) (at time.Time, proof bool) {
	w.forget(now)
	if w.limit == 0 {
		return now, false
	}
	at = w.rested
	if n := len(w.left); n > 0 {
		at = later(at, w.departure(n-1).Add(span/time.Duration(w.limit)))
	}
	if w.within(now) < w.limit {
		return at, false
	}
	at = later(at, w.departure(len(w.left)-w.limit).Add(span))
	if mayProve && w.proofAt.Before(at) && !w.rested.After(now) {
		return later(now, w.proofAt), true
	}
	return at, false
}

// departure is when a request left.
func (w *window) departure(i int) time.Time { return w.epoch.Add(w.left[i]) }

// within counts the requests that left within the span before at.
func (w *window) within(at time.Time) int {
	after := func(t time.Duration) int {
		return sort.Search(len(w.left), func(i int) bool { return w.left[i] > t })
	}
	to := at.Sub(w.epoch)
	return after(to) - after(to-span)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// leave books a request that leaves now.
func (w *window) leave(now time.Time, proof bool) {
	if w.epoch.IsZero() {
		w.epoch = now
	}
	w.left = append(w.left, now.Sub(w.epoch))
	if proof {
		w.proofAt = now.Add(proofEvery)
	}
}

// forget drops what is older than it matters (W5).
func (w *window) forget(now time.Time) {
	old := 0
	for old < len(w.left) && now.Sub(w.departure(old)) >= 2*span {
		old++
	}
	w.left = w.left[old:]
	if now.Sub(w.refused) >= forgetAfter {
		w.limit = 0
	}
}

// succeed notes that a request was answered as it should be.
func (w *window) succeed(now time.Time, r Request) {
	w.inARow = 0
	if r.proof && w.limit > 0 { // W3
		w.step = max(1, 2*w.step)
		w.limit += w.step
		w.proofAt = now.Add(proofSoon)
	}
}

// strike takes a request out of the books that the org has not taken.
func (w *window) strike(r Request) {
	if i := slices.Index(w.left, r.sent.Sub(w.epoch)); i >= 0 {
		w.left = slices.Delete(w.left, i, i+1)
	}
}

// refuse notes that the org has refused a request because there were too many.
// The request has been struck. It reports whether that is all that needs to be
// done: else the gate must be shut.
func (w *window) refuse(now time.Time, r Request) (explained bool) {
	before := w.refused
	if w.limit > 0 && !r.sent.After(before) { // as refused as the one before, by the same limit
		return w.inARow < maxRefused
	}
	w.refused, w.step = now, 0
	switch {
	case r.proof: // W3
		return true
	case w.limit > 0: // W4
		w.limit = max(1, min(w.limit-1, w.within(now)))
		w.inARow++
		w.rested = now.Add(time.Duration(w.inARow) * recovery)
		return w.inARow < maxRefused
	case !before.IsZero() && now.Sub(before) < span: // W1
		w.limit = max(leastLimit, w.within(now), w.within(before))
		w.proofAt, w.inARow = now, 0
	}
	return false
}
