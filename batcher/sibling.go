package batcher

import "time"

// Share is what a Batcher tells those that work on other calls of the same org.
// The counts only ever grow within a life, so that one that gets lost costs
// nothing.
type Share struct {
	Life       uint64  `json:"life"` // of the one that tells, drawn at its beginning
	Utterances uint64  `json:"utterances"`
	Requests   uint64  `json:"requests"`
	Trouble    Trouble `json:"trouble"` // what holds its requests back, where that concerns the whole org
}

// silence is how long a sibling that tells nothing is believed: it may be gone.
const silence = 3 * time.Second

// siblings are the other Batchers of the org, as far as they have told.
//
//	S1  what a sibling has counted beyond what it told before is booked as our
//	    own: the budget is the org's. The first word of one that was not known
//	    is where counting begins, since what it counted before is in the history;
//	    of a new life of one that was known all counts, and what still comes of
//	    the life before it, late, is passed over
//	S2  while a sibling's gate is shut, ours is too. Only who has met the trouble
//	    tries whether it is over, and of several who have the first by name
//	S3  one that has told nothing for silence holds nobody back
type siblings map[string]*sibling

type sibling struct {
	share Share
	past  uint64 // the life before it
	at    time.Time
}

// hear takes in what a sibling tells.
func (p *packer) hear(now time.Time, from string, s Share) {
	known, before, past := p.siblings[from], Share{Life: s.Life}, uint64(0)
	switch {
	case known == nil:
		before = s
	case known.past == s.Life:
		return
	case known.share.Life == s.Life:
		before, past = known.share, known.past
	default:
		past = known.share.Life
	}
	if s.Utterances >= before.Utterances && s.Requests >= before.Requests { // else it was overtaken by a later one
		p.pace.alsoHeard(now, s.Utterances-before.Utterances)
		p.pace.alsoLeft(now, s.Requests-before.Requests)
		p.siblings[from] = &sibling{s, past, now}
	}
}

// siblingsHold is until when siblings hold our requests back (S2, S3).
func (p *packer) siblingsHold() (until time.Time) {
	for name, one := range p.siblings {
		if one.share.Trouble != None && (p.gate.trouble == None || name < p.name) {
			until = later(until, one.at.Add(silence))
		}
	}
	return until
}

// admits says how many requests may be in flight now.
func (p *packer) admits(now time.Time) int {
	if now.Before(p.siblingsHold()) {
		return 0
	}
	return p.gate.admits(now, p.flight.bound)
}

// share is what this packer tells.
func (p *packer) share() Share {
	return Share{Life: p.life, Utterances: p.pace.ownUtterances, Requests: p.pace.ownRequests, Trouble: p.gate.trouble}
}
