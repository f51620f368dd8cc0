package cluster

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var scale = flag.Bool("scale", false, "64 daemons and 500 orgs with eight partitions each in place of a few")

// TestScale has members come and go in a large cluster, in simulated time, and
// prints what moves and what is said.
//
//	go test ./cmd/steno/cluster -run Scale -v          a small one, which the gate runs
//	go test ./cmd/steno/cluster -run Scale -v -scale   1,000,000 calls: 2,000 an org, 250 a partition
func TestScale(t *testing.T) {
	daemons, orgs, per, step := 6, 12, 4, 20*time.Millisecond
	if *scale {
		daemons, orgs, per, step = 64, 500, 8, 500*time.Millisecond
	}
	of := map[string]int{}
	for i := range orgs {
		of[fmt.Sprintf("org-%03d", i)] = per
	}
	var faults []string
	synctest.Test(t, func(*testing.T) {
		r := newRigOf(of, step)
		grow(t, r, daemons)
		atRest(t, r)
		upheavals(t, r)
		faults = r.end()
	})
	for _, fault := range faults {
		t.Error(fault)
	}
}

// grow starts all members at once.
func grow(t *testing.T, r *rig, daemons int) {
	for i := range daemons {
		r.start(fmt.Sprintf("d-%02d", i))
	}
	took := r.within(5*time.Minute, "all have their share", r.settled)
	t.Logf("%d daemons, %d orgs, %d partitions: all at work %v after they start at once, with %d openings", daemons, len(r.orgs), len(r.partitions()),
		took, r.opens)
}

// atRest counts what is said when nothing happens, and what there is to know.
func atRest(t *testing.T, r *rig) {
	const during = 10 * time.Second
	r.memory.mu.Lock()
	r.memory.traffic = traffic{}
	r.memory.mu.Unlock()
	time.Sleep(during)
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	c, s := r.memory.traffic, during.Seconds()
	t.Logf("at rest, a second: %.0f writes of %d B, %.0f deliveries (%.0f a daemon, %.1f kB)", float64(c.writes)/s, c.written/max(c.writes, 1),
		float64(c.delivered)/s, float64(c.delivered)/s/float64(len(r.daemons)), float64(c.deliveredBytes)/s/float64(len(r.daemons))/1e3)
	siblings := 0
	for _, n := range r.orgs {
		siblings += n * (n - 1)
	}
	t.Logf("shares, a second: %d told, %d heard by partitions", len(r.partitions()), siblings)
	t.Logf("the view takes %d kB", r.memory.viewSize()/1000)
}

// viewSize is the memory that one member's view takes.
func (m *memory) viewSize() uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := newView("d-00")
	for _, e := range m.last {
		v.apply(time.Now(), e)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	defer runtime.KeepAlive(v)
	return after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
}

// upheavals has members come and go.
func upheavals(t *testing.T, r *rig) {
	t.Logf("| what happens | partitions moved | fewest possible | longest without an owner | until all is even |")
	t.Logf("|---|---|---|---|---|")
	row := func(what string, fewest int, do func()) {
		t.Helper()
		r.mu.Lock()
		opens := r.opens
		r.gaps = nil
		r.mu.Unlock()
		begun := time.Now()
		do()
		owned := r.within(10*time.Second, what+": all are owned", r.owned)
		r.within(5*time.Minute, what+": all is even", r.settled)
		if len(r.gaps) > 0 {
			owned = max(owned, slices.Max(r.gaps))
		}
		t.Logf("| %s | %d | %d | %v | %v |", what, r.opens-opens, fewest, owned.Round(time.Millisecond), time.Since(begun).Round(100*time.Millisecond))
	}
	total := len(r.partitions())
	has := func(d *daemon) int {
		n := 0
		for _, p := range r.partitions() {
			if d.c.Holds(p) == nil {
				n++
			}
		}
		return n
	}
	last := func() *daemon { return r.daemons[len(r.daemons)-1] }
	row("one leaves", has(last()), func() {
		if err := r.leave(last()); err != nil {
			t.Error(err)
		}
	})
	row("one comes", total/(len(r.daemons)+1), func() { r.start("new") })
	row("one is killed", has(last()), func() { r.die(last()) })
	eighth := max(len(r.daemons)/8, 1)
	n := 0
	for _, d := range r.daemons[len(r.daemons)-eighth:] {
		n += has(d)
	}
	row(fmt.Sprintf("%d are killed at once", eighth), n, func() {
		for range eighth {
			r.die(last())
		}
	})
	row(fmt.Sprintf("%d come at once", eighth), total*eighth/(len(r.daemons)+eighth), func() {
		for i := range eighth {
			r.start(fmt.Sprintf("new-%d", i))
		}
	})
}

// BenchmarkPlan plans for 64 members and 500 orgs with eight partitions each:
//
//	go test ./cmd/steno/cluster -run - -bench Plan
func BenchmarkPlan(b *testing.B) {
	orgs, members := map[string]int{}, []string{}
	for i := range 500 {
		orgs[fmt.Sprintf("org-%03d", i)] = 8
	}
	for i := range 64 {
		members = append(members, fmt.Sprintf("d-%02d", i))
	}
	even := Plan(members, nil, orgs)
	for _, c := range []struct {
		name    string
		members []string
		owners  map[Partition]string
	}{{"nothing moves", members, even}, {"one has gone", members[1:], even}, {"one has come", append(slices.Clone(members), "new"), even}, {"from nothing", members, nil}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Plan(c.members, c.owners, orgs)
			}
		})
	}
}
