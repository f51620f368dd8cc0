package workload

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// slot is one of the concurrent calls of a play. Its times are those of the
// recording, before Speed. Each has its own random source, so that what a
// slot plays does not depend on how many others there are.
type slot struct {
	number  int
	round   int
	track   int // the recorded call that it plays
	next    int // the utterance that it emits next, an index into the track's
	emitted int // arrivals of this call so far

	began time.Duration // when its call began
	at    time.Duration // when it emits next; never falls
	rng   *rand.Rand
}

// slot returns slot number n at the beginning of the play.
func (p *player) slot(n int) *slot {
	s := &slot{
		number: n,
		track:  n % len(p.tracks),
		rng:    rand.New(rand.NewPCG(p.opts.Seed, uint64(n))),
	}
	if p.opts.RandomPhase {
		p.join(s)
	}
	p.schedule(s)
	return s
}

// join puts s at a moment drawn from all recorded time: into a long call more
// often than into a short one, as whoever looks at a busy contact centre finds
// it. What had been said by then is passed over.
func (p *player) join(s *slot) {
	var all time.Duration
	for _, t := range p.tracks {
		all += t.length
	}
	phase := time.Duration(s.rng.Int64N(int64(all)))
	for s.track = 0; phase >= p.tracks[s.track].length; s.track++ {
		phase -= p.tracks[s.track].length
	}
	s.began = -phase
	us := p.tracks[s.track].utterances
	s.next, _ = slices.BinarySearchFunc(us, phase, func(u Utterance, phase time.Duration) int {
		return cmp.Compare(u.End, phase)
	})
	s.next = min(s.next, len(us)-1)
}

// schedule sets the time at which s emits what is next.
func (p *player) schedule(s *slot) {
	least, most := p.opts.EndpointDelay[0], p.opts.EndpointDelay[1]
	least = max(least, 0)
	delay := least + time.Duration(s.rng.Int64N(int64(max(most-least, 0))+1))
	end := p.tracks[s.track].utterances[s.next].End
	s.at = max(s.at, s.began+end+delay)
}

// advance moves s past what it has just emitted, into its next call if that
// was the last of this one. It says whether s emits anything more.
func (p *player) advance(s *slot) bool {
	s.next++
	s.emitted++
	if t := &p.tracks[s.track]; s.next == len(t.utterances) {
		s.began = max(s.at, s.began+t.length)
		s.track = (s.track + 1) % len(p.tracks)
		s.round, s.next, s.emitted = s.round+1, 0, 0
		if p.opts.Rounds > 0 && s.round == p.opts.Rounds {
			return false
		}
	}
	p.schedule(s)
	return true
}

// slotHeap is a container/heap of slots: the one that emits next is first,
// and among those of one moment the lowest number.
type slotHeap []*slot

func (h slotHeap) Len() int      { return len(h) }
func (h slotHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h slotHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].at, h[j].at), cmp.Compare(h[i].number, h[j].number)) < 0
}

// Push is never called: a play has all its slots from the beginning.
func (h *slotHeap) Push(s any) { *h = append(*h, s.(*slot)) }

func (h *slotHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
