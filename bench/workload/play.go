package workload

import (
	"cmp"
	"container/heap"
	"iter"
	"math"
	"slices"
	"time"
)

// PlayOptions says how recorded calls are played. The zero value plays every
// recorded call at once, at the speed of life, one after the other for ever.
type PlayOptions struct {
	Concurrent  int           // calls at any moment; zero: as many as are recorded
	Seed        uint64        // of the endpointing delays and the phases; plays with one seed are alike
	Speed       float64       // 10 makes everything ten times faster, delays too; zero, negative or not finite: 1
	Duration    time.Duration // what would arrive at this time or later does not, even in the middle of a call; zero: no end
	Rounds      int           // calls that a slot plays before it falls silent; zero: no end
	RandomPhase bool          // each slot starts somewhere inside a call, so that the load is steady from time zero

	// EndpointDelay is the least and the most time that the engine listens
	// for more before it calls an utterance final, in the time of the
	// recording. Both zero: 300 and 700 ms, which is usual.
	EndpointDelay [2]time.Duration
}

// Arrival is one utterance of a play at the moment when the engine emits it.
// All times of its own are on the play's clock: they count from the play's
// beginning and are Speed times shorter than recorded.
type Arrival struct {
	Call     int    // the number of the call in the play, from 0; no two calls of a play share it
	Slot     int    // which of the concurrent calls, from 0; Call modulo Concurrent
	Round    int    // how many calls this slot has played before
	Recorded string // the id of the recorded call; concurrent calls may share it

	Utterance      // as recorded, its own Start and End untouched by Speed
	Nth       int  // counts the call's arrivals from 1; the number in an engine's stream
	First     bool // the call's first arrival; with RandomPhase not always its first utterance
	Last      bool // nothing follows in this call

	Began time.Duration // when the call began; below zero for calls that RandomPhase joined midway
	From  time.Duration // when the utterance was begun; below zero likewise
	To    time.Duration // when it was over
	At    time.Duration // when the engine emits it: To and the endpointing delay
}

// Play returns the arrivals of calls being played, in the order of At, and in
// the order of slots where At is the same. It is lazy: memory is proportional
// to Concurrent, so that 20,000 calls can be played for hours. Every range
// over it plays the same from the beginning, and several may at once.
//
// A slot begins with the recorded call of its own number, or with RandomPhase
// at a moment drawn from all recorded time; then the recorded calls follow in
// their order, round and round. A call begins at the moment when the one
// before it in its slot emits its last, so Concurrent calls are open at any
// moment. Within a call utterances are emitted in the order of their ends: one
// that the delays would put before its predecessor is emitted with it.
//
// Calls without utterances are left out; with none left nothing arrives.
func Play(calls []Call, opts PlayOptions) iter.Seq[Arrival] {
	p := player{tracks: tracks(calls), opts: opts}
	if p.opts.Concurrent <= 0 {
		p.opts.Concurrent = len(p.tracks)
	}
	if !(p.opts.Speed > 0) || math.IsInf(p.opts.Speed, 1) {
		p.opts.Speed = 1
	}
	if p.opts.EndpointDelay == [2]time.Duration{} {
		p.opts.EndpointDelay = [2]time.Duration{300 * time.Millisecond, 700 * time.Millisecond}
	}
	return p.play
}

// player is what all slots of a play share. Nothing of it changes.
type player struct {
	tracks []track
	opts   PlayOptions
}

func (p *player) play(yield func(Arrival) bool) {
	if len(p.tracks) == 0 {
		return
	}
	slots := make(slotHeap, p.opts.Concurrent)
	for i := range slots {
		slots[i] = p.slot(i)
	}
	heap.Init(&slots)
	for len(slots) > 0 {
		s := slots[0]
		a := p.arrival(s)
		if p.opts.Duration > 0 && a.At >= p.opts.Duration {
			return
		}
		if !yield(a) {
			return
		}
		if p.advance(s) {
			heap.Fix(&slots, 0)
		} else {
			heap.Pop(&slots)
		}
	}
}

// arrival is what s emits next.
func (p *player) arrival(s *slot) Arrival {
	t := &p.tracks[s.track]
	u := t.utterances[s.next]
	return Arrival{
		Call:      s.number + s.round*p.opts.Concurrent,
		Slot:      s.number,
		Round:     s.round,
		Recorded:  t.id,
		Utterance: u,
		Nth:       s.emitted + 1,
		First:     s.emitted == 0,
		Last:      s.next == len(t.utterances)-1,
		Began:     p.scale(s.began),
		From:      p.scale(s.began + u.Start),
		To:        p.scale(s.began + u.End),
		At:        p.scale(s.at),
	}
}

// scale turns the time of the recording into the time of the play. It keeps
// order, and a float64 is exact to the nanosecond for a hundred days.
func (p *player) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) / p.opts.Speed)
}

// track is a recorded call as it is played.
type track struct {
	id         string
	utterances []Utterance // in the order of End, then of Seq; never empty
	length     time.Duration
}

// tracks sorts the utterances of each call into the order in which an engine
// emits them. It leaves calls alone.
func tracks(calls []Call) []track {
	var ts []track
	for _, c := range calls {
		if len(c.Utterances) == 0 {
			continue
		}
		us := slices.Clone(c.Utterances)
		slices.SortFunc(us, func(a, b Utterance) int {
			return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Seq, b.Seq))
		})
		// A call that took no time at all would keep its slot at one moment
		// for ever.
		ts = append(ts, track{c.ID, us, max(c.Length(), time.Millisecond)})
	}
	return ts
}
