package durable

import (
	"slices"
	"sort"
	"time"

	"example.com/steno/batcher/spool"
)

// A span is closed when it has this much, so that the index of a day's waiting
// speech stays small: at 200 utterances a second, one span a second.
const (
	spanRecords = 1000
	spanTime    = time.Second
)

// span is a run of frames.
type span struct {
	firstSeq, lastSeq uint64 // in the stream of frames
	first, last       spool.Position
	oldest, newest    time.Time // receipt of its utterances
	present           uint64    // records whose bytes lie in its frames
	cut               bool      // nothing joins it any more
}

// spans is the sparse index of the frames on disk, oldest first.
type spans []span

// stored is a frame that is on disk.
type stored struct {
	seq            uint64
	first, last    spool.Position
	oldest, newest time.Time
	bytes          int
	present        uint64 // records that are not hollow
}

func (s *spans) add(f stored) {
	if n := len(*s); n > 0 {
		open := &(*s)[n-1]
		if !open.cut && open.last-open.first < spanRecords && f.newest.Sub(open.oldest) < spanTime {
			open.lastSeq, open.last = f.seq, f.last
			open.present += f.present
			open.oldest, open.newest = earlier(open.oldest, f.oldest), later(open.newest, f.newest)
			return
		}
	}
	*s = append(*s, span{firstSeq: f.seq, lastSeq: f.seq, first: f.first, last: f.last, oldest: f.oldest, newest: f.newest, present: f.present})
}

// cut ends the last span: a span lies in one segment.
func (s spans) cut() {
	if n := len(s); n > 0 {
		s[n-1].cut = true
	}
}

// behind returns those of positions above p, and keeps no memory of the others.
func (s spans) behind(p spool.Position) spans {
	return slices.Clone(s[sort.Search(len(s), func(i int) bool { return s[i].last > p }):])
}

// exchange puts now in the place of those between old's first and last
// position.
func (s spans) exchange(old span, now spans) spans {
	if old.last == 0 {
		return s
	}
	now.cut()
	from, to := s.within(old)
	return slices.Concat(s[:from], now, s[to:])
}

// within says which of them lie between a segment's first and last position.
func (s spans) within(all span) (from, to int) {
	return sort.Search(len(s), func(i int) bool { return s[i].last >= all.first }),
		sort.Search(len(s), func(i int) bool { return s[i].first > all.last })
}

// waiting is how many of the positions are not settled.
func (s *span) waiting(settled *positions) uint64 {
	if s.last == 0 {
		return 0
	}
	return uint64(s.last-s.first) + 1 - settled.count(s.first, s.last)
}

// settledBefore counts the leading spans that lie wholly below floor and were
// received before then.
func (s spans) settledBefore(floor spool.Position, then time.Time) int {
	n := 0
	for n < len(s) && s[n].last < floor && s[n].newest.Before(then) {
		n++
	}
	return n
}

// at returns the span that holds p, else the next one; nil: there is none.
func (s spans) at(p spool.Position) *span {
	i := sort.Search(len(s), func(i int) bool { return s[i].last >= p })
	if i == len(s) {
		return nil
	}
	return &s[i]
}

// earlier prefers a time that is set.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
