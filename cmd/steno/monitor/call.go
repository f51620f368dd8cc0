package monitor

import (
	"strings"
	"time"

	"example.com/steno/ingest"
)

// callKey names a call.
type callKey struct{ org, key string }

// call is what is known of one call.
//
//	L1  it is active while a stream of it is open, and for quiet after something
//	    was last heard of it, unless the last stream to go has ended
//	L2  it is kept while it is active, while something of it is not settled, and
//	    for quiet after that
//	L3  there are at most maxCalls, maxSaid utterances and maxPartials partials
//	    of each, and maxText bytes of each text: older utterances make room,
//	    further calls and partials are not kept
//	L4  where there are maxCalls, one of which nothing is open and nothing waits
//	    makes room at once
type call struct {
	key     callKey
	since   time.Time // when it was first heard of
	heard   time.Time // when the newest utterance was received, or anything else of the call happened
	streams int       // open ones
	dialect string    // of the connection that took a stream last
	said    lastSaid
	partial map[string]partial // by speaker
	lane    lane
	written stamp // of its request that has come back last; 0: it did not leave
	waiting int   // utterances that are not settled
	ended   bool  // the stream that was let go last has
	probe   bool  // only probes speak in it

	customer, agent time.Time // when each side was last heard; zero: never
}

// partial is speech that is not final.
type partial struct {
	sender, text string
	at           time.Time
}

const (
	maxCalls    = 20_000
	maxSaid     = 12
	maxPartials = 4
	maxText     = 500
	quiet       = 2 * time.Minute
	// stale is when a partial that nothing followed is not shown any more.
	stale = 10 * time.Second
	// recent is how recently the one side must have spoken for the other's
	// silence to mean something.
	recent = time.Minute
)

func (c *call) active(now time.Time) bool { // L1
	return c.streams > 0 || !c.ended && now.Sub(c.heard) < quiet
}

// over says whether nobody needs to know of the call any more (L2).
func (c *call) over(now time.Time) bool { return c.idle() && now.Sub(c.heard) >= quiet }

// idle says whether nothing of the call is open, and nothing waits.
func (c *call) idle() bool { return c.streams == 0 && c.waiting == 0 }

// add notes an utterance, and returns its number in the call.
func (c *call) add(s said, speaker string, received time.Time) (number int) {
	delete(c.partial, speaker)
	if received.After(c.heard) {
		c.heard = received
	}
	side := &c.agent
	if s.sender.isCustomer() {
		side = &c.customer
	}
	if received.After(*side) {
		*side = received
	}
	return c.said.add(s)
}

// hint notes a partial.
func (c *call) hint(now time.Time, p ingest.Partial, text bool) {
	if _, known := c.partial[p.Speaker]; !known && len(c.partial) >= maxPartials {
		return
	}
	if c.partial == nil {
		c.partial = map[string]partial{}
	}
	shown := partial{sender: p.SenderType, at: now}
	if text {
		shown.text = cut(p.Content)
	}
	c.partial[p.Speaker] = shown
	c.heard = now
}

// silentSide is the side that has been silent for as long as quiet while the
// other one was heard of late: a leg that does not arrive looks like that. It is
// empty where both speak, or neither does.
func (c *call) silentSide(now time.Time) string {
	if c.streams == 0 || c.probe || now.Sub(c.since) < quiet {
		return ""
	}
	silent := func(side time.Time) bool { return side.IsZero() || now.Sub(side) >= quiet }
	speaks := func(side time.Time) bool { return !side.IsZero() && now.Sub(side) < recent }
	switch {
	case silent(c.customer) && speaks(c.agent):
		return "customer"
	case silent(c.agent) && speaks(c.customer):
		return "agent"
	}
	return ""
}

// cut bounds a text without cutting a rune in two. The text is copied: it must
// not keep the message alive that it is a part of.
func cut(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return strings.Clone(text)
}
