package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	turnEvery   = beatEvery / 2
	turnPause   = 30 * time.Millisecond  // between two turns: many changes at once are one
	steadyAfter = time.Second            // of unchanged members: partitions of living members move
	maxGiving   = 8                      // of them at once
	planEvery   = 200 * time.Millisecond // at most, while the members are the same
	planFor     = 2 * time.Second
)

// turns brings what this member has to what the plan says:
//
//	C1  it takes what is planned for it and free, at once
//	C2  it hands over what is planned for another, once the members are the same
//	    for steadyAfter and know the same orgs; some at a time
//	C3  it hands over everything, all at once, when it leaves and its entry says
//	    so: then the others plan from the same
//	C4  it gives up what another has taken
//	C5  it releases what it is said to own and does not, since an answer was lost
//	C6  it takes away the entry of one that is dead and owns nothing any more: a
//	    newcomer would have to wait until it is dead for it too
//	C7  what is free it takes by the plan of the moment. For what it hands over it
//	    keeps to a plan for planFor, unless the members or the orgs change: all
//	    have made that of the same, and while some carry their part out, others
//	    would find another that is as good, and the parts would not fit. What it
//	    took since is not in that plan
type turns struct {
	c       *Cluster
	s       *session
	ctx     context.Context
	tenures map[Partition]*tenure
	doubted map[Partition]bool // whose last tenure here has ended in doubt: where its release was lost, the entry does not say so
	graves  map[string]uint64  // of the dead whose entry was taken away, its revision
	ended   chan *tenure
	running sync.WaitGroup

	peers   []string
	plan    map[Partition]string // of the moment
	at      uint64               // the change of the view that it is of
	made    time.Time            // when it was made
	kept    map[Partition]string // the plan that is kept to; nil: none
	keptAt  uint64               // the change of the view that it is of
	planned time.Time            // when it was made
	known   string               // the orgs that it is of
	since   time.Time            // when peers last changed
	leaving bool
}

func newTurns(ctx context.Context, c *Cluster, s *session) *turns {
	return &turns{c: c, s: s, ctx: ctx, tenures: map[Partition]*tenure{}, doubted: map[Partition]bool{}, graves: map[string]uint64{}, ended: make(chan *tenure)}
}

// loop takes turns until everything is handed over, or ctx is done and
// everything closed.
func (t *turns) loop(stay context.Context) error {
	tick := time.NewTicker(turnEvery)
	defer tick.Stop()
	leave := stay.Done()
	for t.ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-t.c.turn:
		case one := <-t.ended:
			t.over(one)
		case <-leave:
			leave = nil
			t.leave()
		case <-t.ctx.Done():
			continue
		}
		t.turn(time.Now())
		if t.leaving && len(t.tenures) == 0 {
			break
		}
		t.rest()
	}
	for len(t.tenures) > 0 {
		t.over(<-t.ended)
	}
	t.running.Wait()
	return nil
}

// rest takes in tenures that end, for a moment.
func (t *turns) rest() {
	timer := time.NewTimer(turnPause)
	defer timer.Stop()
	for {
		select {
		case one := <-t.ended:
			t.over(one)
		case <-timer.C:
			return
		case <-t.ctx.Done():
			return
		}
	}
}

// over takes in a tenure that has ended.
func (t *turns) over(one *tenure) {
	delete(t.tenures, one.Partition)
	t.doubted[one.Partition] = one.doubt
}

func (t *turns) leave() {
	t.leaving, t.plan, t.kept = true, nil, nil
	t.c.mu.Lock()
	t.s.leaving = true
	t.c.mu.Unlock()
	wake(t.c.beat)
}

// turn compares once.
func (t *turns) turn(now time.Time) {
	l := t.c.look(t.leaving)
	if !l.whole {
		return
	}
	if !slices.Equal(l.peers, t.peers) {
		t.peers, t.since, t.plan, t.kept = l.peers, now, nil, nil
		t.c.mu.Lock()
		t.c.notify()
		t.c.mu.Unlock()
	}
	for _, m := range l.dead { // C6
		t.bury(m)
	}
	for p, one := range t.tenures {
		if l.isAnothers(p, t.s.id) { // C4
			one.lose()
		}
	}
	t.replan(l, now)
	t.handOver(now, l)
	for p, was := range l.owners {
		if t.tenures[p] == nil && was.Session == t.s.id && t.plan[p] != t.c.cfg.ID { // C5
			t.vacate(p, was, t.plan[p])
		}
	}
	for p, want := range t.plan {
		if l.takes && t.tenures[p] == nil && want == t.c.cfg.ID && l.isFree(p, t.s.id) { // C1
			t.begin(p, l.owners[p])
		}
	}
}

// bury takes a dead one's entry away. Another may have done it already.
func (t *turns) bury(m seenMember) {
	if t.graves[m.ID] == m.revision {
		return
	}
	t.graves[m.ID] = m.revision
	t.c.cfg.Log.Warn("a member of the cluster is dead", "member", m.ID, "address", m.Address)
	t.running.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, attempt)
		defer cancel()
		if err := t.c.store.remove(ctx, memberKey(m.ID), m.revision); err != nil && !errors.Is(err, errTaken) && t.ctx.Err() == nil {
			t.c.cfg.Log.Warn("a dead member's entry stays", "member", m.ID, "error", err)
		}
	})
}

// replan is C7.
func (t *turns) replan(l *look, now time.Time) {
	if t.plan == nil || l.known != t.known || l.at != t.at && now.Sub(t.made) >= planEvery {
		t.plan, t.at, t.made = l.plan(), l.at, now
	}
	if t.kept == nil || l.known != t.known || l.at != t.keptAt && now.Sub(t.planned) >= planFor {
		t.kept, t.keptAt, t.planned, t.known = t.plan, t.at, now, l.known
	}
}

// handOver is C2 and C3.
func (t *turns) handOver(now time.Time, l *look) {
	room := maxGiving
	for _, one := range t.tenures {
		if one.giving {
			room--
		}
	}
	for p, one := range t.tenures {
		want := t.kept[p]
		if want == t.c.cfg.ID || one.giving || t.leaving && !l.said || !t.leaving && one.begun.After(t.planned) {
			continue
		}
		if t.leaving || l.agreed && now.Sub(t.since) >= steadyAfter && room > 0 {
			one.giving = true
			one.give <- want
			room--
		}
	}
}

// begin claims a partition.
func (t *turns) begin(p Partition, was seenOwner) { t.launch(p, was, (*tenure).run) }

// vacate releases a partition that is ours by its entry only.
func (t *turns) vacate(p Partition, was seenOwner, next string) {
	t.launch(p, was, func(one *tenure) { one.release(next) }).giving = true
}

func (t *turns) launch(p Partition, was seenOwner, run func(*tenure)) *tenure {
	one := &tenure{
		Partition: p, c: t.c, s: t.s, give: make(chan string, 1), again: make(chan chan struct{}), revision: was.revision, moves: was.Moves,
		begun: time.Now(), stranger: was.revision > 0 && was.Member != t.c.cfg.ID,
		doubt: was.Doubt || was.Member != "" && (was.Session != t.s.id || t.doubted[p]),
	}
	one.ctx, one.lose = context.WithCancel(t.ctx)
	t.tenures[p] = one
	t.running.Go(func() {
		defer one.lose()
		run(one)
		t.ended <- one
	})
	return one
}
