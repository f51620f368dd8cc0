package durable

import (
	"context"
	"slices"
	"time"

	"example.com/steno/batcher/spool"
)

// pacer says for how much company a frame should wait. Each frame costs a sync
// of the disk, as much as a hundred utterances cost otherwise, and what comes a
// few milliseconds later can share it. It counts groups and not milliseconds:
// a frame that has its share goes at once, and most wait for no timer.
//
// It is plain data: the caller passes the time in.
//
//	F1  a frame's share is the groups that come in frameEvery at the pace of the
//	    last look, and never more than plenty; a share of one waits for nobody
//	F2  a look ends with the frame that makes it lookGroups long, or lookTime.
//	    One that should have ended says nothing: its share is one
//	F3  a share that did not come in frameMost will not: it is one until the
//	    look's end
type pacer struct {
	since  time.Time // the look's beginning
	groups int       // that came in it
	share  int
}

const (
	frameEvery = 4 * time.Millisecond
	frameMost  = 2 * frameEvery
	plenty     = 64 // groups that are worth a frame at any time

	lookGroups = 64
	lookTime   = 100 * time.Millisecond
)

// wanted is the share of a frame at now.
func (p *pacer) wanted(now time.Time) int {
	if now.Sub(p.since) > lookTime { // F2
		return 1
	}
	return p.share
}

// begin books a frame of groups.
func (p *pacer) begin(now time.Time, groups int) {
	p.groups += groups
	if took := now.Sub(p.since); took > lookTime || p.groups >= lookGroups {
		p.share = min(max(1, int(time.Duration(p.groups)*frameEvery/max(took, 1))), plenty)
		p.since, p.groups = now, 0
	}
}

// vain is F3.
func (p *pacer) vain() { p.share = 1 }

// gather waits for company where the pacer says so. What is urgent waits for
// none, and neither does what waits with it.
func (s *Spool) gather(ctx context.Context, p *pacer) {
	wanted := p.wanted(time.Now())
	if !s.lacks(wanted) {
		return
	}
	over := time.NewTimer(frameMost)
	defer over.Stop()
	for s.lacks(wanted) {
		select {
		case <-s.appended:
		case <-over.C:
			p.vain()
			return
		case <-ctx.Done():
			return
		}
	}
}

// lacks says whether what waits should wait for more. Then Append wakes the
// commit loop only when there is enough.
func (s *Spool) lacks(wanted int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = 0
	if len(s.waiting) == 0 || len(s.waiting) >= wanted || s.urgent {
		return false
	}
	s.wanted = wanted
	return true
}

func anyUrgent(records []*spool.Record) bool {
	return slices.ContainsFunc(records, func(r *spool.Record) bool { return r.Urgent })
}
