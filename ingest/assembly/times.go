package assembly

import (
	"strings"
	"time"

	"example.com/steno/ingest/dialect"
)

const (
	// wordLength is how long a word takes to say where nothing better is
	// known: people say some 150 a minute.
	wordLength = 400 // ms
	// restart is how far a channel's offsets may go back before they are taken
	// for those of a clock that has started over. Results that come out of
	// order stay below it.
	restart = 5_000 // ms
	// What lies outside is no time of a call: 1973 and 5138.
	earliest, latest = 100_000_000_000, 100_000_000_000_000 // ms since the epoch
)

// clock is where an engine's offsets count from, in one run of its clock.
//
//	T1  the zero that the source was given holds for the first run, else the one
//	    that the session's beginning tells
//	T2  without one, it is the earliest (arrival − offset of the end) of all
//	    words of the run: an engine is never ahead of the speaker, so that
//	    comes down to the truth
//	T3  a new session, or a channel whose offsets go back by more than restart,
//	    is a new run
//	T4  a time of the world needs no clock
type clock struct {
	run   uint32 // how many were before it in the session
	zero  int64  // ms since the epoch; 0: not known
	given bool
	next  *clock // the run after this one, once a channel is there
}

// observe learns from words that ended at an offset and arrived at a time (T2).
func (c *clock) observe(e *dialect.Event, at time.Time) {
	ms, ok := e.End.Offset()
	if !ok {
		ms, ok = e.Start.Offset()
	}
	if zero := at.UnixMilli() - ms; ok && !c.given && (c.zero == 0 || zero < c.zero) {
		c.zero = zero
	}
}

// epoch is an instant in ms since the epoch.
func (c *clock) epoch(i dialect.Instant) (ms int64, ok bool) {
	if ms, ok = i.Absolute(); ok { // T4
		return ms, plausible(ms)
	}
	if ms, ok = i.Offset(); ok && c.zero != 0 {
		return c.zero + ms, plausible(c.zero + ms)
	}
	return 0, false
}

func plausible(ms int64) bool { return ms >= earliest && ms <= latest }

// times are when the pieces were said, in ms since the epoch, end never before
// start. after is when the channel's utterance before them ended.
//
// A missing end is start plus the length of the words, but not after the
// arrival; with both missing the end is the arrival. A missing start is the end
// less the length of the words, but not before after.
func times(pieces []Piece, after int64) (start, end int64) {
	first, last := &pieces[0], &pieces[len(pieces)-1]
	start, hasStart := first.clock.epoch(first.start)
	end, hasEnd := last.clock.epoch(last.end)
	arrival := last.at.UnixMilli()
	if !hasEnd {
		end = arrival
		if began, ok := last.clock.epoch(last.start); ok {
			end = min(arrival, began+length(pieces[len(pieces)-1:]))
		}
	}
	if !hasStart {
		start = max(end-length(pieces), min(after, end))
	}
	return start, max(start, end)
}

// length is how long pieces take to say.
func length(pieces []Piece) (ms int64) {
	for i := range pieces {
		ms += wordLength * int64(len(strings.Fields(pieces[i].Text)))
	}
	return ms
}
