package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// inBubble runs f with three members that have shared out ten partitions.
func inBubble(t *testing.T, f func(t *testing.T, r *rig, a, b, c *daemon)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(map[string]int{"acme": 4, "globex": 5, "": 1})
		a, b, c := r.start("a"), r.start("b"), r.start("c")
		r.within(10*time.Second, "three members share out", r.settled)
		f(t, r, a, b, c)
		for _, fault := range r.end() {
			t.Error(fault)
		}
	})
}

func TestTakeOverAfterADeath(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, _, _ *daemon) {
		r.die(a)
		took := r.within(5*time.Second, "the dead one's partitions are taken", r.owned)
		if took < fencedAfter {
			t.Errorf("taken after %v, before the dead one would have been fenced", took)
		}
		if r.doubts < 3 {
			t.Errorf("%d partitions are in doubt, want all that the dead one had", r.doubts)
		}
		r.within(5*time.Second, "and even", r.settled)
		r.start("a") // its entry must run out first
		r.within(10*time.Second, "it comes back", r.settled)
	})
}

func TestHandOverWhenOneLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, _, _ *daemon) {
		r.gaps, r.opens, r.doubts = nil, 0, 0
		if err := r.leave(a); err != nil {
			t.Errorf("leaving: %v", err)
		}
		r.within(time.Second, "what it had is open elsewhere", r.settled)
		if len(r.gaps) < 3 || slices.Max(r.gaps) > time.Second {
			t.Errorf("between closed here and opening there: %v", r.gaps)
		}
		if r.opens > 5 || r.doubts > 0 {
			t.Errorf("%d partitions moved, %d of them in doubt", r.opens, r.doubts)
		}
		r.memory.mu.Lock()
		defer r.memory.mu.Unlock()
		if !r.memory.last[memberKey("a")].deleted {
			t.Error("the entry of one that left is still there")
		}
	})
}

func TestOneThatIsCutOffFencesItself(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, _, _, _ *daemon) {
		p := Partition{"acme", 0}
		a, _ := r.holder(p)
		a.link.cut.Lock()
		took := r.within(2*time.Second, "it fences itself", func() bool { return errors.Is(a.c.Holds(p), ErrFenced) })
		if took < time.Second {
			t.Errorf("fenced after %v", took)
		}
		r.within(5*time.Second, "the others take what it had", r.owned)
		a.link.cut.Unlock()
		r.within(10*time.Second, "it joins anew", r.settled)
	})
}

// A bucket that does not answer for a while, as when its leader is elected,
// moves nothing: all are fenced, all come back, and each takes what it had.
func TestASilentBucketMovesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, c *daemon) {
		before := map[Partition]string{}
		for _, p := range r.partitions() {
			before[p], _, _ = a.c.Owner(p)
		}
		for _, d := range r.everyone() {
			d.link.cut.Lock()
		}
		time.Sleep(8 * time.Second)
		for _, d := range r.everyone() {
			d.link.cut.Unlock()
		}
		r.within(5*time.Second, "all are back", r.settled)
		for p, address := range before {
			if now, _, _ := b.c.Owner(p); now != address {
				t.Errorf("%v was %s's and is %s's", p, address, now)
			}
		}
	})
}

func TestWhatDoesNotOpenGoesToAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, _ *daemon) {
		a.mu.Lock()
		a.bad = errOpen
		a.mu.Unlock()
		if err := r.leave(b); err != nil {
			t.Error(err)
		}
		r.within(10*time.Second, "what a cannot open is open at c", r.owned)
		time.Sleep(5 * time.Second)
		opens := r.opens
		time.Sleep(ailingFor / 2)
		if r.opens > opens {
			t.Errorf("%d more tries within half a minute", r.opens-opens)
		}
		a.mu.Lock()
		a.bad = nil
		a.mu.Unlock()
		r.within(2*ailingFor, "a takes its share again", r.settled)
	})
}

// Where no member opens anything, they try for ever: the trouble may be the
// bucket's servers.
func TestWhatOpensNowhere(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, c *daemon) {
		bad := func(err error) {
			for _, d := range []*daemon{a, c} {
				d.mu.Lock()
				d.bad = err
				d.mu.Unlock()
			}
		}
		bad(errOpen)
		r.die(b)
		time.Sleep(time.Minute)
		bad(nil)
		r.within(ailingFor+10*time.Second, "once they open, they do", r.owned)
	})
}

func TestOwnerAndStatus(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, _ *daemon) {
		for _, p := range r.partitions() {
			address, here, ok := a.c.Owner(p)
			there, _, _ := b.c.Owner(p)
			if !ok || address != there || here != (address == "a:1") || here != (a.c.Holds(p) == nil) {
				t.Errorf("%v: owner %q here %v ok %v, b says %q", p, address, here, ok, there)
			}
		}
		if err := a.c.Holds(Partition{"nobody's", 0}); !errors.Is(err, ErrNotOwned) {
			t.Errorf("Holds of what there is not = %v", err)
		}
		changed := a.c.Changed()
		s := b.c.Status()
		if len(s.Members) != 3 || len(s.Partitions) != 10 || s.Fenced || !s.Agreed || s.Lag > 1 || s.Member != "b" {
			t.Errorf("status %+v", s)
		}
		for _, m := range s.Members {
			if m.Owns < 3 || m.Owns > 4 || m.State != Well || m.Silent > 1 || m.Version != "v1" || m.Address != m.ID+":1" {
				t.Errorf("member %+v", m)
			}
		}
		r.die(b)
		select {
		case <-changed:
		case <-time.After(5 * time.Second):
			t.Error("the owners changed, and Changed did not say so")
		}
	})
}

func TestOrgsChange(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, c *daemon) {
		err := a.c.Agree(t.Context(), map[string]int{"acme": 8, "none": 0})
		if err == nil || !strings.Contains(err.Error(), `org "acme" is 8: in the cluster it is 4`) || !strings.Contains(err.Error(), `org "none" is 0`) {
			t.Errorf("another number of partitions: %v", err)
		}
		next := map[string]int{"acme": 4, "initech": 6}
		if err := a.c.Agree(t.Context(), next); err != nil {
			t.Error(err)
		}
		for _, d := range []*daemon{a, b} {
			d.c.SetOrgs(next)
		}
		r.within(5*time.Second, "the new org is owned before all know it", func() bool {
			for n := range 6 {
				if _, _, ok := a.c.Owner(Partition{"initech", n}); !ok {
					return false
				}
			}
			return true
		})
		if s := a.c.Status(); s.Agreed {
			t.Error("members that know other orgs are said to agree")
		}
		c.c.SetOrgs(next)
		r.mu.Lock()
		r.orgs = next
		r.mu.Unlock()
		r.within(10*time.Second, "all is even again", r.settled)
	})
}

// T7: the doubt of what was not closed in order outlasts a release that was lost.
func TestDoubtOutlastsALostRelease(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, c *daemon) {
		for _, d := range []*daemon{a, b, c} { // ten partitions among three: one of them gives two to the fourth
			d.mu.Lock()
			d.rude = true
			d.mu.Unlock()
		}
		r.doubts = 0
		r.start("d")
		r.within(15*time.Second, "the fourth has its share", r.settled)
		if r.doubts == 0 {
			t.Error("nothing is in doubt")
		}
	})
}

// T6: what is opened anew stays where it is, also where that does not go well at
// first.
func TestReopen(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, _, _, _ *daemon) {
		p := Partition{"acme", 0}
		a, b := r.holder(p)
		moves := a.c.Status().Partitions[1].Moves
		r.opens, r.doubts = 0, 0
		b.c.Reopen(t.Context(), p) // which is not its own
		if r.opens > 0 {
			t.Error("opened anew by one that does not hold it")
		}
		a.c.Reopen(t.Context(), p)
		r.within(time.Second, "it is open again", r.settled)
		a.mu.Lock()
		a.bad = errOpen
		a.mu.Unlock()
		a.c.Reopen(t.Context(), p)
		a.mu.Lock()
		a.bad = nil
		a.mu.Unlock()
		a.c.Reopen(t.Context(), p) // asked while it is not open, it is tried at once
		r.within(time.Second, "it is open again", r.settled)
		if now := a.c.Status().Partitions[1]; now.Moves != moves || now.Owner != a.id || r.doubts > 0 {
			t.Errorf("it is %s's after %d moves more, %d times in doubt", now.Owner, now.Moves-moves, r.doubts)
		}
	})
}

func TestTwoOfOneName(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, _, _, _ *daemon) {
		second := r.start("a")
		select {
		case err := <-second.done:
			if !errors.Is(err, errDisplaced) || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `a:1`) {
				t.Errorf("a second member a: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("a second member a is not refused")
		}
		r.remove(second)
	})
}

// event is something that happens to a cluster.
type event struct {
	what   string
	member int
	lasts  time.Duration
	then   time.Duration // until the next one
}

func drawEvents(t *rapid.T) (events []event) {
	for range rapid.IntRange(1, 8).Draw(t, "events") {
		events = append(events, event{
			what:   rapid.SampledFrom([]string{"kill", "cut", "leave", "join", "all cut", "restart", "reopen"}).Draw(t, "what"),
			member: rapid.IntRange(0, 9).Draw(t, "member"),
			lasts:  time.Duration(rapid.IntRange(100, 9000).Draw(t, "lasts")) * time.Millisecond,
			then:   time.Duration(rapid.IntRange(0, 6000).Draw(t, "then")) * time.Millisecond,
		})
	}
	return events
}

// happen has an event take place. What was cut is mended by itself.
func (r *rig) happen(e event) {
	all := r.everyone()
	d := all[e.member%len(all)]
	cut := func(d *daemon) {
		if d.link.cut.TryLock() {
			time.AfterFunc(e.lasts, d.link.cut.Unlock)
		}
	}
	switch e.what {
	case "join":
		r.start(fmt.Sprintf("m%d", r.started))
	case "cut":
		cut(d)
	case "reopen":
		for _, p := range r.partitions() {
			r.asking.Go(func() { d.c.Reopen(context.Background(), p) })
		}
	case "all cut":
		for _, d := range all {
			cut(d)
		}
	case "kill", "restart":
		if !d.link.cut.TryLock() { // dead while it is cut off
			return
		}
		d.link.cut.Unlock()
		r.die(d)
		if e.what == "restart" || len(all) == 1 {
			r.start(d.id)
		}
	case "leave":
		if len(all) > 1 && d.link.cut.TryLock() {
			d.link.cut.Unlock()
			if err := r.leave(d); err != nil {
				r.fault("%s leaves: %v", d.id, err)
			}
		}
	}
}

// TestNoTwoHoldOnePartition has members die, be cut off, leave and come, while
// the rig looks fifty times a second who holds what.
func TestNoTwoHoldOnePartition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := drawEvents(rt)
		var faults []string
		synctest.Test(t, func(*testing.T) {
			r := newRig(map[string]int{"acme": 4, "globex": 3})
			for i := range 3 {
				r.start(fmt.Sprint(i))
			}
			for _, e := range events {
				time.Sleep(e.then)
				r.happen(e)
			}
			time.Sleep(10 * time.Second) // what is cut is mended
			r.within(15*time.Second, "all is well in the end", r.settled)
			faults = r.end()
		})
		if len(faults) > 0 {
			rt.Fatalf("%d faults, the first: %s", len(faults), faults[0])
		}
	})
}
