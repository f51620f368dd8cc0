package monitor

import (
	"cmp"
	"time"
)

// clock estimates how far an engine's clock is off ours, from what it says of
// when speech ended.
//
// An utterance is received later than its speech ended, by the engine's delay,
// which is now short and now long, but never below nothing. Received minus
// spoken is that delay, plus the error of the clock. The least of many is the
// error and the shortest delay, and the shortest delay of an engine is seldom
// above a second. Hence:
//
//	K1  the offset is the least of (received − spoken) in the running period and
//	    the one before: an error that comes up shows within two periods
//	K2  an offset below nothing is all error: the clock is ahead
//	K3  an offset above usual is error as far as it is above: the clock is
//	    behind. So is an engine that is never any faster than that: the two
//	    cannot be told apart from here, and both want somebody to look
//	K4  what lies between is taken for delay: the clock is right
type clock struct {
	number       int64 // of the running period since the epoch
	least        time.Duration
	before       time.Duration // the least of the period before
	heard, known bool          // least and before mean something
}

const (
	period = 15 * time.Second
	usual  = time.Second // the shortest delay that is usual, at most
)

// hear takes in an utterance.
func (c *clock) hear(received time.Time, delay time.Duration) {
	if n := received.UnixNano() / int64(period); n != c.number {
		c.known = c.heard && n == c.number+1
		c.number, c.before, c.heard = n, c.least, false
	}
	if !c.heard || delay < c.least {
		c.least, c.heard = delay, true
	}
}

// offset is K1; false: nothing was heard.
func (c *clock) offset() (time.Duration, bool) {
	if c.known && c.before < c.least {
		return c.before, true
	}
	return c.least, c.heard
}

// error is by how much the clock is behind ours; below zero it is ahead.
func (c *clock) error() time.Duration {
	offset, heard := c.offset()
	switch {
	case !heard:
		return 0
	case offset < 0: // K2
		return offset
	case offset > usual: // K3
		return offset - usual
	}
	return 0 // K4
}

// worse orders errors by their size.
func worse(a, b time.Duration) int { return cmp.Compare(b.Abs(), a.Abs()) }
