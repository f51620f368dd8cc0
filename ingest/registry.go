package ingest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"example.com/steno/batcher/spool"
)

// stream is one source of utterances of one call, and outlives its
// connections.
type stream struct {
	sequence
	id      spool.StreamID
	epoch   string // this life of the stream
	call    *call
	seat    int         // among the call's streams
	opening *opening    // of the last open; nil for one recovered and not opened since
	owner   *connection // nil: it waits to be resumed
	waits   time.Time   // since when, where it has no owner
	leaving bool        // the owner's client has closed it; it is let go once that is safe
	used    bool        // an utterance was accepted in this life, so the spool may know it
}

// waiting is a stream that lost its connection at a time.
type waiting struct {
	stream *stream
	since  time.Time
}

// registry knows every stream, call and message id. Server.mu guards it.
//
//	G1  a stream is in streams if and only if it is in its call's streams, at its
//	    seat
//	G2  a stream has an owner, or is in line; entries of line whose stream has
//	    been resumed since are skipped when their time comes
//	G3  line and ids are sorted by time. All wait equally long, so the first that
//	    came is the first that is due
//	G4  a call exists while it has a stream, a message id, or a request that
//	    waits for the spool
//	G5  active counts the calls that have a stream that has not ended
type registry struct {
	streams map[spool.StreamID]*stream
	calls   map[callKeyOf]*call
	line    []waiting
	ids     sightings
	holders holder // the last that there was
	hasher  hasher
	active  int
}

func newRegistry() registry {
	return registry{streams: map[spool.StreamID]*stream{}, calls: map[callKeyOf]*call{}, ids: newSightings(), hasher: newHasher()}
}

// stream finds the stream of an opening, or begins its life, and brings the
// opening into force.
func (g *registry) stream(o *opening) *stream {
	s := g.streams[o.id]
	if s == nil {
		s = &stream{id: o.id, epoch: newEpoch()}
		g.streams[o.id] = s
	}
	s.opening = o
	s.reopen()
	if k := (callKeyOf{o.id.Org, o.call}); s.call == nil || s.call.key != k {
		g.leave(s)
		g.join(s, g.call(k))
	}
	return s
}

// vacancy is the id under which an engine's connection finds its stream: its
// leg's. One that has ended is passed by, as is one that another connection
// owns, unless that may be taken over; then a number is added.
func (g *registry) vacancy(id spool.StreamID, takeOver bool) spool.StreamID {
	leg := id.ID
	for n := 2; ; n++ {
		s := g.streams[id]
		if s == nil || !s.ended && (s.owner == nil || takeOver) {
			return id
		}
		id.ID = fmt.Sprint(leg, "#", n)
	}
}

// recover brings back a stream from before the spool was opened. Its resume
// time begins anew: it was the server that was away.
func (g *registry) recover(m spool.StreamMark, now time.Time) {
	s := &stream{id: m.Stream, epoch: m.Epoch, used: true}
	s.received, s.safe = m.Acked, m.Acked
	g.streams[s.id] = s
	g.join(s, g.call(callKeyOf{m.Stream.Org, m.Call}))
	g.wait(s, now)
}

// recoverIDs brings back the message ids from before the spool was opened, for
// what is left of their time.
func (g *registry) recoverIDs(recent []spool.Sighting) {
	sorted := slices.SortedFunc(slices.Values(recent), func(a, b spool.Sighting) int { return a.At.Compare(b.At) })
	for _, r := range sorted {
		g.remember(g.call(callKeyOf{r.Org, r.Call}), g.hasher.hash(r.MessageID), 0, r.At)
	}
}

// wait puts a stream in line to be resumed. One that was never used has
// nothing to resume and goes at once, so that opening many streams and
// dropping them costs nobody anything.
func (g *registry) wait(s *stream, now time.Time) {
	s.owner, s.leaving, s.waits = nil, false, now
	if !s.used && s.received == 0 && !s.ended {
		g.forget(s)
		return
	}
	g.line = append(g.line, waiting{s, now})
}

func (g *registry) forget(s *stream) {
	delete(g.streams, s.id)
	g.leave(s)
}

// due returns the streams that have waited since before.
func (g *registry) due(before time.Time) []*stream {
	var streams []*stream
	for _, w := range g.line {
		if w.since.After(before) {
			break
		}
		if w.stillWaits() {
			streams = append(streams, w.stream)
		}
	}
	return streams
}

// stillWaits is false for a stream that has been resumed since (G2).
func (w waiting) stillWaits() bool {
	return w.stream.call != nil && w.stream.owner == nil && w.stream.waits.Equal(w.since)
}

// expire forgets the streams and message ids that are due, and returns the
// time of the oldest entry left.
func (g *registry) expire(before time.Time) (next time.Time) {
	for len(g.line) > 0 && !g.line[0].since.After(before) {
		w := g.line[0]
		g.line[0] = waiting{}
		g.line = g.line[1:]
		if w.stillWaits() {
			g.forget(w.stream)
		}
	}
	for g.ids.len() > 0 && !g.ids.oldest().After(before) {
		if c := g.ids.pop(); c != nil {
			g.tidy(c)
		}
	}
	if len(g.line) > 0 {
		next = g.line[0].since
	}
	if g.ids.len() > 0 {
		next = earlier(next, g.ids.oldest())
	}
	return next
}

// earlier prefers a time that is set.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func newEpoch() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
