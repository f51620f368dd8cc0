package durable

import (
	"context"
	"time"

	"example.com/steno/batcher/spool"
)

// pacer spaces frames out while there are many. Each costs a sync of the disk
// and the way through the store and back, as much as a hundred utterances cost
// otherwise, and what comes a few milliseconds later can share it.
//
// It is plain data: the caller passes the time in.
//
//	F1  while fewer than one frame comes in frameEvery, none waits
//	F2  frameBurst frames may come at once; then one in frameEvery
type pacer struct {
	due time.Time // when the next frame would be due if all came in frameEvery
}

const (
	frameEvery = 3 * time.Millisecond
	frameBurst = 32
)

// wait is how long the next frame should wait.
func (p *pacer) wait(now time.Time) time.Duration {
	return max(0, later(p.due, now).Sub(now)-frameBurst*frameEvery)
}

// begin books a frame.
func (p *pacer) begin(now time.Time) {
	p.due = later(p.due, now).Add(frameEvery)
}

// plenty is a number of waiting groups that is worth a frame at any time.
const plenty = 64

// gather waits for company where the pacer says so. What is urgent waits for
// none, and neither does what waits with it.
func (s *Spool) gather(ctx context.Context, p *pacer) {
	wait := p.wait(time.Now())
	if wait == 0 {
		return
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for !s.hurries() {
		select {
		case <-s.appended:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// hurries says whether what waits should wait no longer.
func (s *Spool) hurries() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urgent || len(s.waiting) >= plenty
}

func anyUrgent(records []spool.Record) bool {
	for i := range records {
		if records[i].Urgent {
			return true
		}
	}
	return false
}
