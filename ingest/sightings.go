package ingest

import (
	"hash/maphash"
	"time"
)

// sightings are the message ids that were accepted of late, of all calls. There
// is one for each utterance of the last minutes, so they are small and hold
// nothing that the collector must look at; and that an id is new, as nearly all
// are, is seen without looking at another one.
//
//	S1  the log is sorted by time, to within the decoding of a frame. What came
//	    in one second goes in one
//	S2  a place of the log is empty or in its call's index, under the id's hash.
//	    Empty is what was taken back, or noted again further on: an id of a call
//	    is in the index once
//	S3  a call has a number if and only if an id of it is in the log
//	S4  hands is empty, or begins with one that is in somebody's hand; those
//	    behind it stand beside the log's. What is not safe is as new as the wait
//	    for the spool is long, so there are few
type sightings struct {
	log     fifo[sighting]
	first   place        // of the log's head
	seconds fifo[second] // of the log
	hands   fifo[holder] // who has what is not safe yet
	held    place        // of the first of them
	calls   []*call      // by their numbers; nil: nobody's
	spare   []uint32     // numbers that are nobody's
}

// place is where in the log a sighting was noted. No two ever have the same.
type place uint64

// sighting is a message id of a call that was accepted.
type sighting struct {
	id   messageHash
	call uint32 // its number; 0: the place is empty
	said uint32 // of an engine's words, a checksum; 0: not known
}

// second is where in the log a second begins.
type second struct {
	over int64 // when it is, in seconds since 1970
	from place
}

// holder is who has taken a message id in and will know when it is safe; 0: it
// is safe.
type holder uint32

// messageHash stands for a message id, which may be long. Of two thousand ids of
// a call, two share one once in ten million million calls.
type messageHash uint64

// hasher makes hashes that nobody can foresee, and that mean something to one
// registry only.
type hasher maphash.Seed

func newHasher() hasher { return hasher(maphash.MakeSeed()) }

func (h hasher) hash(messageID string) messageHash {
	return messageHash(maphash.String(maphash.Seed(h), messageID))
}

func newSightings() sightings {
	return sightings{calls: make([]*call, 1)}
}

// find returns the place of an id of a call.
func (s *sightings) find(c *call, id messageHash) (p place, known bool) {
	for n := range c.ids.find(uint64(id)) {
		p := s.first + place(n-uint32(s.first)) // the log is shorter than 2³²
		if s.at(p).id == id {
			return p, true
		}
	}
	return 0, false
}

// at returns what was noted at a place, or nil where its time is over or it was
// taken back.
func (s *sightings) at(p place) *sighting {
	if p < s.first || p-s.first >= place(s.log.len) {
		return nil
	}
	if seen := s.log.at(int(p - s.first)); seen.call != 0 {
		return seen
	}
	return nil
}

// note adds an id of a call that somebody has in hand, or that is safe. It takes
// the place of an earlier one of the same id.
func (s *sightings) note(c *call, id messageHash, by holder, now time.Time) place {
	if p, known := s.find(c, id); known {
		s.remove(p)
	}
	p := s.first + place(s.log.len)
	s.hand(p, by)
	if over := now.Add(time.Second - 1).Unix(); s.seconds.len == 0 || s.seconds.tail().over < over {
		s.seconds.push(second{over, p})
	}
	s.log.push(sighting{id: id, call: s.number(c)})
	c.ids.add(uint64(id), uint32(p))
	return p
}

// remove empties a place, and returns the call that it was of.
func (s *sightings) remove(p place) *call {
	seen := s.at(p)
	c := s.calls[seen.call]
	c.ids.remove(uint64(seen.id), uint32(p))
	if c.ids.used == 0 { // S3
		s.calls[seen.call] = nil
		s.spare = append(s.spare, seen.call)
		c.number = 0
	}
	*seen = sighting{}
	s.letGo(p)
	return c
}

// hand notes who has the newest place in hand.
func (s *sightings) hand(p place, by holder) {
	if by == 0 {
		return
	}
	if s.hands.len == 0 {
		s.held = p
	}
	for s.held+place(s.hands.len) < p { // those between were safe at once
		s.hands.push(0)
	}
	s.hands.push(by)
}

// inHand is who has a place in hand; 0: nobody, it is safe.
func (s *sightings) inHand(p place) holder {
	if p < s.held || p-s.held >= place(s.hands.len) {
		return 0
	}
	return *s.hands.at(int(p - s.held))
}

// letGo takes a place out of whosever hand it is in.
func (s *sightings) letGo(p place) {
	if s.inHand(p) == 0 {
		return
	}
	*s.hands.at(int(p - s.held)) = 0
	for s.hands.len > 0 && *s.hands.head() == 0 { // S4
		s.hands.pop()
		s.held++
	}
}

// number gives a call one, unless it has one.
func (s *sightings) number(c *call) uint32 {
	if c.number != 0 {
		return c.number
	}
	if last := len(s.spare) - 1; last >= 0 {
		c.number, s.spare = s.spare[last], s.spare[:last]
		s.calls[c.number] = c
	} else {
		c.number = uint32(len(s.calls))
		s.calls = append(s.calls, c)
	}
	return c.number
}

// len counts the places, the empty ones too.
func (s *sightings) len() int { return s.log.len }

// oldest is the time of the log's head, to the end of its second; there must be
// one.
func (s *sightings) oldest() time.Time { return time.Unix(s.seconds.head().over, 0) }

// pop forgets the log's head, and returns its call, or nil if it was empty.
func (s *sightings) pop() *call {
	var c *call
	if s.log.head().call != 0 {
		c = s.remove(s.first)
	}
	s.log.pop()
	s.first++
	if s.log.len == 0 || s.seconds.len > 1 && s.seconds.at(1).from == s.first {
		s.seconds.pop()
	}
	return c
}
