package ingest

import "hash/maphash"

// sightings are the message ids that were accepted of late, of all calls. There
// is one for each utterance of the last minutes, so they are small; and that an
// id is new, as nearly all are, is seen without looking at another one.
//
//	S1  the log is sorted by time, to within the decoding of a frame
//	S2  a place of the log is empty or in its call's index, under the id's hash.
//	    Empty is what was taken back, or noted again further on: an id of a call
//	    is in the index once
type sightings struct {
	log   fifo[sighting]
	first place // of the log's head
}

// place is where in the log a sighting was noted. No two ever have the same.
type place uint64

// sighting is when a message id of a call was accepted.
type sighting struct {
	id     messageHash
	call   *call  // nil: the place is empty
	at     int64  // nanoseconds since 1970
	said   uint32 // of an engine's words, a checksum; 0: not known
	holder holder
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
	if seen := s.log.at(int(p - s.first)); seen.call != nil {
		return seen
	}
	return nil
}

// note adds a sighting. It takes the place of an earlier one of the same id.
func (s *sightings) note(seen sighting) place {
	if p, known := s.find(seen.call, seen.id); known {
		s.remove(p)
	}
	p := s.first + place(s.log.len)
	s.log.push(seen)
	seen.call.ids.add(uint64(seen.id), uint32(p))
	return p
}

// remove empties a place.
func (s *sightings) remove(p place) {
	seen := s.at(p)
	seen.call.ids.remove(uint64(seen.id), uint32(p))
	*seen = sighting{at: seen.at}
}

// len counts the places, the empty ones too.
func (s *sightings) len() int { return s.log.len }

// oldest is the time of the log's head; there must be one.
func (s *sightings) oldest() int64 { return s.log.head().at }

// pop forgets the log's head, and returns its call, or nil if it was empty.
func (s *sightings) pop() *call {
	c := s.log.head().call
	if c != nil {
		s.remove(s.first)
	}
	s.log.pop()
	s.first++
	return c
}
