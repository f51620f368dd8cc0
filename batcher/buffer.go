package batcher

import (
	"slices"
	"time"
)

// buffer holds what waits of one call, already cut into entries.
//
//	B1  entries are in the order of their utterances; whole entries leave, from
//	    the front, and come back to the front
//	B2  no entry exceeds MaxMessages, and none mixes speakers unless allowed
//	B3  entries[:urgent] must go at once: the last of them holds an urgent
//	    utterance
//	B4  a buffer is in one queue while it may be sent, in none while its request
//	    is in flight
//	B5  while it may be sent its rank is up to date; while it rests nobody asks
//	B6  an entry knows its buffer, wherever it is: the packer forgets none of
//	    which something waits or is in flight
//	B7  where one entry is all that waits, it lies in room
type buffer struct {
	call     string
	entries  []Entry
	room     [1]Entry
	urgent   int
	ended    bool
	inFlight bool

	refused  bool          // the request in flight was refused for a reason of the call's own
	rest     time.Duration // the last rest after a refusal; zero: the last answer was good
	restedAt time.Time     // the end of that rest
	unknown  time.Time     // since when Salesforce says that it does not know the call; zero: it does

	doubts    int       // failures in a row that may be the call's own
	doubtedAt time.Time // the first of them

	// The first suspects utterances may hold poison, and portion of them may go
	// in one request. Both are zero while nothing is suspected.
	suspects, portion int

	in    *queue // the queue that it stands in, or nil
	index int    // its place there; the queue's own
	rank  rank   // what that goes by
}

// add appends an utterance that begins to wait at since.
func (b *buffer) add(u *Utterance, since time.Time, lim Limits) {
	n := len(b.entries)
	if n == 0 {
		b.entries = b.room[:0] // B7
	}
	if n == 0 || !b.entries[n-1].takes(u, lim) {
		b.entries = append(b.entries, Entry{Call: b.call, Utterances: make([]*Utterance, 0, lim.MaxMessages), oldest: since, from: b})
		n++
	}
	last := &b.entries[n-1]
	last.Utterances = append(last.Utterances, u)
	if u.Urgent {
		b.urgent = n
	}
}

func (e *Entry) takes(u *Utterance, lim Limits) bool {
	return len(e.Utterances) < lim.MaxMessages && (lim.MixSpeakers || e.Utterances[0].Speaker == u.Speaker)
}

// shift takes the first entry.
func (b *buffer) shift() Entry {
	e := b.entries[0]
	b.entries[0] = Entry{}
	b.entries = b.entries[1:]
	b.urgent = max(0, b.urgent-1)
	return e
}

// shiftPortion takes the first suspects, at most portion of them.
func (b *buffer) shiftPortion() Entry {
	n := min(b.portion, b.suspects)
	first := &b.entries[0]
	if n >= len(first.Utterances) {
		return b.shift()
	}
	e := Entry{Call: b.call, Utterances: first.Utterances[:n:n], oldest: first.oldest, from: b}
	first.Utterances = first.Utterances[n:]
	return e
}

// suspect notes that there is poison among n utterances that were just put
// back. Alone says that no other call's were with them: then half of them are
// tried next.
func (b *buffer) suspect(n int, alone bool) {
	b.suspects, b.portion = max(n, b.suspects), n
	if alone {
		b.portion = max(1, n/2)
	}
}

// clear ends the suspicion against n utterances that were settled. A rejected
// one was the poison, so the others are trusted again. Where a part was good,
// the poison is in what is left: half of that is tried next.
func (b *buffer) clear(n int, rejected bool) {
	b.suspects = max(0, b.suspects-n)
	if rejected {
		b.suspects = 0
	}
	b.portion = (b.suspects + 1) / 2
}

// unshift puts back an entry that must be sent again.
func (b *buffer) unshift(e Entry) {
	b.entries = append([]Entry{e}, b.entries...)
	b.room = [1]Entry{}
	if b.urgent > 0 {
		b.urgent++
	}
	if b.urgent == 0 && e.urgent() {
		b.urgent = 1
	}
}

func (e *Entry) urgent() bool {
	return slices.ContainsFunc(e.Utterances, func(u *Utterance) bool { return u.Urgent })
}

// due is when the buffer's first utterance has waited long enough. What is
// urgent, suspected, or can have no more company of its own call waits not at
// all.
func (b *buffer) due(wait time.Duration) time.Time {
	if b.urgent > 0 || b.ended || b.suspects > 0 {
		wait = 0
	}
	return b.entries[0].oldest.Add(wait)
}

// alone says whether an urgent utterance is all that waits: it travels by
// createTranscriptMessage then.
func (b *buffer) alone() bool {
	return b.urgent == 1 && len(b.entries) == 1 && len(b.entries[0].Utterances) == 1
}
