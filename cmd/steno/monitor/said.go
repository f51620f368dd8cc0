package monitor

import "time"

// said is one utterance as the agent sees it, with its four stamps. Twelve of
// them are the most that a call takes here, so they are small.
type said struct {
	spoken, received, written, answered stamp
	clock                               time.Duration // by how much its engine's clock was behind
	rare                                *rare         // nil: nothing
	tries                               int32
	sender                              sender
}

// rare is what few utterances have, or none.
type rare struct {
	text     string // empty unless Config.Text
	rejected string // the reason
}

// settled is true once the utterance's fate is known.
func (s *said) settled() bool { return s.answered != 0 }

// more is for noting what few have.
func (s *said) more() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// stamp is a time in a third of the memory, and with nothing in it that the
// collector must look at, since much of what is said is kept: nanoseconds since
// 1970 by the wall clock; 0: not yet. A clock that is set puts what is under way
// at the time into wrong stages, but never for less than nothing.
type stamp int64

func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}
	return stamp(t.UnixNano())
}

// since is how long after another one it is, and not less than nothing.
func (s stamp) since(earlier stamp) time.Duration { return time.Duration(max(0, s-earlier)) }

func (s stamp) time() time.Time { return time.Unix(0, int64(s)) }

func (s stamp) millis() int64 { return int64(s) / 1e6 }

// lastSaid holds the last maxSaid utterances of a call. They are numbered from
// 0 on.
//
//	U1  number n stands at n modulo maxSaid, until n+maxSaid takes its place:
//	    whoever comes back to an utterance asks by its number
//	U2  a call in which little is said takes little room
type lastSaid struct {
	ring []said
	next int // number
}

// add notes an utterance and returns its number.
func (l *lastSaid) add(s said) (number int) {
	number = l.next
	l.next++
	switch {
	case number >= maxSaid: // U1
		l.ring[number%maxSaid] = s
		return number
	case number == cap(l.ring): // U2
		more := make([]said, number, min(2*number+1, maxSaid))
		copy(more, l.ring)
		l.ring = more
	}
	l.ring = append(l.ring, s)
	return number
}

// at returns an utterance by its number, nil when it has made room.
func (l *lastSaid) at(number int) *said {
	if l.next-number > maxSaid {
		return nil
	}
	return &l.ring[number%maxSaid]
}

// last calls f with the last n, the oldest first.
func (l *lastSaid) last(n int, f func(*said)) {
	for number := max(0, l.next-min(n, maxSaid)); number < l.next; number++ {
		f(l.at(number))
	}
}
