package durable

import (
	"context"
	"math"
	"time"
)

// yieldMost is how long a frame waits for the reader, at most: so much later
// its acknowledgements are.
const yieldMost = 20 * time.Millisecond

// yield lets the reader catch up before the next frame: what comes while memory
// is full of unread speech must be read from the disk again, which costs as much
// as it did to write it.
//
//	B1  a frame waits while half of what memory has for unread records is taken,
//	    for yieldMost at most; one with something urgent does not
//	B2  it waits only for a reader that has taken something since the last frame
//	    was begun. One whose Salesforce is down takes nothing: then the disk is
//	    where speech belongs
func (s *Spool) yield(ctx context.Context) {
	if !s.crowded() {
		return
	}
	over := time.NewTimer(yieldMost)
	defer over.Stop()
	for s.crowded() {
		select {
		case <-s.eased:
		case <-s.appended: // something urgent
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// crowded is whether the next frame should wait for the reader. Then Append
// wakes the commit loop for what is urgent only.
func (s *Spool) crowded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = 0
	s.yielding = s.taken && !s.urgent && len(s.waiting) > 0 && s.ledger.crowded()
	if s.yielding {
		s.wanted = math.MaxInt
	}
	return s.yielding
}

// took notes that the reader has taken n records. The caller holds mu.
func (s *Spool) took(n int) {
	s.taken = s.taken || n > 0
	if s.yielding && !s.ledger.crowded() {
		s.yielding = false
		wake(s.eased)
	}
}
