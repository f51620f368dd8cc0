package ingest

import (
	"testing"

	"pgregory.net/rapid"
)

// slowSequence is the rules again, by lists of what happened and without any
// arithmetic that sequence has.
type slowSequence struct {
	received map[uint64]bool // what was taken in
	safe     map[uint64]bool
	refusals []uint64 // while nothing was taken in since the last open
	begun    bool     // something was
	ended    bool
	endSafe  bool
}

func (m *slowSequence) top(of map[uint64]bool) uint64 {
	var top uint64
	for seq := range of {
		top = max(top, seq)
	}
	return top
}

func (m *slowSequence) offer(seq uint64) verdict {
	if len(m.received) > 0 && seq <= m.top(m.received) {
		return repeated
	}
	if m.ended {
		return afterEnd
	}
	next := seq == m.top(m.received)+1
	if !next && len(m.refusals) > 0 {
		lowest := m.refusals[0]
		for _, r := range m.refusals {
			lowest = min(lowest, r)
		}
		next = seq == lowest
	}
	if !next {
		if !m.begun {
			m.refusals = append(m.refusals, seq)
		}
		return outOfOrder
	}
	m.received[seq], m.begun, m.refusals = true, true, nil
	return accepted
}

func clone(from map[uint64]bool) map[uint64]bool {
	to := map[uint64]bool{}
	for seq := range from {
		to[seq] = true
	}
	return to
}

// Q1 to Q8 hold, and the two agree about everything.
func TestSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q sequence
		m := slowSequence{received: map[uint64]bool{}, safe: map[uint64]bool{}}
		t.Repeat(map[string]func(*rapid.T){
			"offer": func(t *rapid.T) {
				seq := rapid.Uint64Range(1, 8).Draw(t, "seq")
				before := q
				got, want := q.offer(seq), m.offer(seq)
				if got != want {
					t.Fatalf("offer(%d) to %+v = %d, want %d", seq, before, got, want)
				}
				if got != accepted && q.received != before.received {
					t.Fatalf("Q3 to Q5: offer(%d) to %+v moved received to %d", seq, before, q.received)
				}
			},
			"end": func(*rapid.T) { q.end(); m.ended = true },
			"commit": func(t *rapid.T) {
				q.commit(q.received)
				m.safe = clone(m.received)
				if m.ended {
					q.commitEnd()
					m.endSafe = true
				}
			},
			"rollback": func(*rapid.T) {
				q.rollback()
				m.received, m.ended = clone(m.safe), m.endSafe
				m.refusals, m.begun = nil, false
			},
			"open": func(*rapid.T) {
				q.reopen()
				m.refusals, m.begun = nil, false
			},
			"": func(t *rapid.T) {
				if q.safe > q.received {
					t.Fatalf("Q1: safe %d > received %d", q.safe, q.received)
				}
				if top := m.top(m.received); q.received != top || q.safe != m.top(m.safe) || q.ended != m.ended {
					t.Fatalf("%+v, want received %d, safe %d, ended %v", q, top, m.top(m.safe), m.ended)
				}
				if got, want := q.expected(), m.top(m.received)+1; got != want {
					t.Fatalf("expected() = %d, want %d", got, want)
				}
			},
		})
	})
}

// Q6, step by step.
func TestSequenceBase(t *testing.T) {
	var q sequence
	offer := func(seq uint64, want verdict) {
		t.Helper()
		if got := q.offer(seq); got != want {
			t.Errorf("Q6: offer(%d) = %d, want %d; now %+v", seq, got, want, q)
		}
	}
	offer(40, outOfOrder)
	offer(41, outOfOrder) // a client sends on before it has read the first refusal
	offer(39, outOfOrder)
	offer(40, outOfOrder) // not the lowest that was refused
	offer(39, accepted)
	offer(40, accepted)
	offer(5, repeated)
	offer(42, outOfOrder)
	offer(42, outOfOrder) // this connection has begun
	q.commit(40)
	q.reopen()
	offer(42, outOfOrder) // another connection: it is asked for 41
	offer(42, accepted)   // and has none: it was nacked, and the server killed since
	offer(44, outOfOrder)
	offer(44, outOfOrder)
	q.rollback()
	offer(41, accepted)
	q = sequence{}
	offer(40, outOfOrder)
	offer(40, accepted)
	q.rollback()
	offer(39, outOfOrder) // none of it was safe: it begins again
	offer(1, accepted)
}
