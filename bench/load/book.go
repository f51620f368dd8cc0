package load

import (
	"bytes"
	"sync"
	"time"
)

// book is what the sink has seen. Its methods may be called from many
// goroutines.
type book struct {
	prefix []byte // of the vendorCallKey of every call of this load

	mu      sync.Mutex // guards what follows
	begin   time.Time  // of the load: what due times count from
	calls   []*line    // by number; nil: nothing has come of it
	counts  Counts
	added   histogram // of what is not urgent
	urgent  histogram
	seconds timeline      // of all utterances, by the second in which they were due
	last    time.Duration // when the last one came that had not come before
}

// start says when the load begins.
func (b *book) start(begin time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin = begin
}

func (b *book) now() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Since(b.begin)
}

// Counts is what the sink has counted.
type Counts struct {
	Delivered       uint64 `json:"delivered"` // different utterances
	Requests        uint64 `json:"requests"`  // that carried utterances
	Singles         uint64 `json:"singles"`   // of them, createTranscriptMessage
	Entries         uint64 `json:"entries"`
	OrderViolations uint64 `json:"orderViolations"` // an utterance after a later one of its call
	Overlaps        uint64 `json:"overlaps"`        // requests with a call of which another was in flight
	Duplicates      uint64 `json:"duplicates"`      // utterances that had come before
	OverLimit       uint64 `json:"overLimit"`       // requests above 5 entries × 5 messages, refused
	Foreign         uint64 `json:"foreign"`         // messages that this load has not sent
}

// line is one call's.
type line struct {
	highest  uint64
	seen     []uint64 // a bit for each seq from 1
	inFlight int
}

// mark notes a seq, and says whether it is there already.
func (l *line) mark(seq uint64) (repeated bool) {
	word, bit := int((seq-1)/64), uint64(1)<<((seq-1)%64)
	for len(l.seen) <= word {
		l.seen = append(l.seen, 0)
	}
	repeated = l.seen[word]&bit != 0
	l.seen[word] |= bit
	return repeated
}

const (
	maxEntries  = 5
	maxMessages = 5
)

var (
	bulkKey   = []byte(`"vendorCallKey":"`)
	singleKey = []byte(`"voiceCallId":"`)
	idKey     = []byte(`"messageId":"`)
)

// request is what a body holds.
type request struct {
	marks []mark
	calls []int // of the entries
	legal bool
}

// read finds the marks in a body. A quote in what was said is escaped, so the
// fields' names are found by their bytes.
func (b *book) read(body []byte, single bool) (r request) {
	key := bulkKey
	if single {
		key = singleKey
	}
	r.legal = true
	for {
		_, rest, ok := bytes.Cut(body, key)
		if !ok {
			break
		}
		entry, next := rest, []byte(nil)
		if at := bytes.Index(rest, key); at >= 0 {
			entry, next = rest[:at], rest[at:]
		}
		body = next
		messages := b.entry(entry, &r)
		r.legal = r.legal && messages <= maxMessages
	}
	r.legal = r.legal && len(r.calls) <= maxEntries && len(r.calls) > 0
	return r
}

// entry reads the marks of one entry, and counts its messages.
func (b *book) entry(entry []byte, r *request) (messages int) {
	ours := bytes.HasPrefix(entry, b.prefix)
	call := -1
	for {
		_, rest, ok := bytes.Cut(entry, idKey)
		if !ok {
			break
		}
		id, after, _ := bytes.Cut(rest, []byte(`"`))
		m, known := parseMark(id)
		if messages++; !known || !ours {
			m = mark{call: -1}
		}
		call, entry = m.call, after
		r.marks = append(r.marks, m)
	}
	r.calls = append(r.calls, call)
	return messages
}

// arrived books a request at the moment when all of it had been read.
func (b *book) arrived(r request, single bool, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !r.legal {
		b.counts.OverLimit++
		return
	}
	b.counts.Requests++
	b.counts.Entries += uint64(len(r.calls))
	if single {
		b.counts.Singles++
	}
	b.hold(r)
	for _, m := range r.marks {
		b.message(m, at)
	}
}

// hold occupies the calls of a request. The lock is held.
func (b *book) hold(r request) {
	overlaps := false
	for i, call := range r.calls {
		if call < 0 || first(r.calls, i) {
			continue
		}
		l := b.line(call)
		overlaps = overlaps || l.inFlight > 0
		l.inFlight++
	}
	if overlaps {
		b.counts.Overlaps++
	}
}

// first says whether the call of entry i stands in an earlier one.
func first(calls []int, i int) bool {
	for _, c := range calls[:i] {
		if c == calls[i] {
			return true
		}
	}
	return false
}

// answered gives the calls of a request free.
func (b *book) answered(r request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, call := range r.calls {
		if r.legal && call >= 0 && !first(r.calls, i) {
			b.line(call).inFlight--
		}
	}
}

func (b *book) message(m mark, at time.Duration) {
	if m.call < 0 {
		b.counts.Foreign++
		return
	}
	l := b.line(m.call)
	if l.mark(m.seq) {
		b.counts.Duplicates++
		return
	}
	if m.seq < l.highest {
		b.counts.OrderViolations++
	}
	l.highest = max(l.highest, m.seq)
	b.counts.Delivered++
	b.last = at
	b.seconds.add(m.due, at-m.due)
	if m.urgent {
		b.urgent.add(at - m.due)
	} else {
		b.added.add(at - m.due)
	}
}

func (b *book) line(call int) *line {
	for len(b.calls) <= call {
		b.calls = append(b.calls, nil)
	}
	if b.calls[call] == nil {
		b.calls[call] = &line{}
	}
	return b.calls[call]
}

// delivered is how many different utterances have come, and when the last did.
func (b *book) delivered() (n uint64, last time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts.Delivered, b.last
}
