package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// daemon is a member whose pipelines are time that passes.
type daemon struct {
	id   string
	rig  *rig
	c    *Cluster
	link *cable
	stay context.CancelFunc
	kill context.CancelFunc
	done chan error

	mu   sync.Mutex
	open map[Partition]bool // guarded by mu
	busy map[Partition]bool // guarded by mu; in a call of Open or Close
	bad  error              // guarded by mu; what Open returns
	rude bool               // guarded by mu; the next Close in order fails, and cuts the link for longer than a write tries
}

// rig is a cluster in a bubble.
type rig struct {
	memory  *memory
	orgs    map[string]int // guarded by mu; only replaced
	daemons []*daemon      // guarded by mu
	started int
	stop    chan struct{}
	watched sync.WaitGroup
	asking  sync.WaitGroup // for a partition to be opened anew
	slow    time.Duration  // what Open and Close take, at most
	step    time.Duration  // between two looks

	mu     sync.Mutex
	faults []string                // guarded by mu
	closed map[Partition]time.Time // guarded by mu; when it was last closed in order
	gaps   []time.Duration         // guarded by mu; between that and the next opening
	opens  int                     // guarded by mu
	doubts int                     // guarded by mu; of them, those in doubt
	begun  map[Partition]bool      // guarded by mu; opened, and not closed in order since
}

func newRig(orgs map[string]int) *rig { return newRigOf(orgs, 10*time.Millisecond) }

func newRigOf(orgs map[string]int, step time.Duration) *rig {
	r := &rig{memory: newMemory(), orgs: orgs, stop: make(chan struct{}), slow: 100 * time.Millisecond, step: step, closed: map[Partition]time.Time{}, begun: map[Partition]bool{}}
	r.watched.Go(func() {
		for {
			select {
			case <-r.stop:
				return
			case <-time.After(2 * step):
				r.inspect()
			}
		}
	})
	return r
}

func (r *rig) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// inspect holds the promise against this moment: no two members hold a
// partition.
func (r *rig) inspect() {
	for _, p := range r.partitions() {
		var by []string
		for _, d := range r.everyone() {
			if d.c.Holds(p) == nil {
				by = append(by, d.id)
			}
		}
		if len(by) > 1 {
			r.fault("%v is held by %v", p, by)
		}
	}
}

func (r *rig) everyone() []*daemon {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.daemons)
}

// holder is who holds a partition, and somebody who does not.
func (r *rig) holder(p Partition) (it, other *daemon) {
	for _, d := range r.everyone() {
		if d.c.Holds(p) == nil {
			it = d
		} else {
			other = d
		}
	}
	return it, other
}

func (r *rig) partitions() (all []Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for org, n := range r.orgs {
		for number := range n {
			all = append(all, Partition{org, number})
		}
	}
	return all
}

// start runs a member of a name; of one that ran before, it is its next life.
func (r *rig) start(id string) *daemon {
	r.started++
	d := &daemon{id: id, rig: r, link: newCable(r.memory, uint64(r.started)), done: make(chan error, 1), open: map[Partition]bool{}, busy: map[Partition]bool{}}
	d.c = newCluster(Config{ID: id, Address: id + ":1", Version: "v1", Orgs: r.orgs, Host: d, Log: slog.New(slog.DiscardHandler)}, d.link)
	stay, leave := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	d.stay, d.kill = leave, kill
	r.mu.Lock()
	r.daemons = append(r.daemons, d)
	r.mu.Unlock()
	go func() { d.done <- d.c.Run(stay, hard) }()
	return d
}

// die takes a member away as SIGKILL does: nothing that it says arrives.
func (r *rig) die(d *daemon) {
	d.link.loses.Store(true)
	d.link.cut.Lock()
	d.kill()
	<-d.done
	r.remove(d)
	d.link.cut.Unlock()
}

func (r *rig) remove(d *daemon) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.daemons = slices.DeleteFunc(r.daemons, func(o *daemon) bool { return o == d })
}

// leave stops a member in order.
func (r *rig) leave(d *daemon) error {
	d.stay()
	err := <-d.done
	r.remove(d)
	return err
}

// end stops all, and returns what went wrong.
func (r *rig) end() []string {
	for _, d := range r.everyone() {
		r.die(d)
	}
	close(r.stop)
	r.watched.Wait()
	r.asking.Wait()
	time.Sleep(time.Minute) // what is late arrives
	synctest.Wait()
	return r.faults
}

// settled says whether every partition is open at one member, evenly.
func (r *rig) settled() bool {
	open, total := map[Partition]int{}, 0
	var counts []int
	for _, d := range r.everyone() {
		d.mu.Lock()
		n := 0
		for p, is := range d.open {
			if is && d.c.Holds(p) == nil {
				open[p]++
				n++
			}
		}
		d.mu.Unlock()
		counts = append(counts, n)
		total += n
	}
	return total == len(r.partitions()) && len(open) == total && slices.Max(counts)-slices.Min(counts) <= 1
}

// owned says whether every partition is held by one member and open there.
func (r *rig) owned() bool {
	n := 0
	for _, d := range r.everyone() {
		d.mu.Lock()
		for p, is := range d.open {
			if is && d.c.Holds(p) == nil {
				n++
			}
		}
		d.mu.Unlock()
	}
	return n == len(r.partitions())
}

// within waits for f, at most d, and returns how long that was.
func (r *rig) within(d time.Duration, what string, f func() bool) time.Duration {
	begun := time.Now()
	for !f() {
		if time.Since(begun) > d {
			r.fault("%s: not after %v", what, d)
			break
		}
		time.Sleep(r.step)
	}
	return time.Since(begun)
}

var (
	errOpen  = errors.New("the partition does not open here")
	errClose = errors.New("the partition does not close in order")
)

func (d *daemon) enter(p Partition, opens bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[p] {
		d.rig.fault("two calls for %v at %s", p, d.id)
	}
	if d.open[p] == opens {
		d.rig.fault("%v at %s: open is %v already", p, d.id, opens)
	}
	d.busy[p] = true
	return d.bad
}

func (d *daemon) exit(p Partition, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[p], d.open[p] = false, open
}

func (d *daemon) Open(ctx context.Context, p Partition, doubt bool) error {
	bad := d.enter(p, true)
	r := d.rig
	r.mu.Lock()
	r.opens++
	if r.begun[p] && !doubt {
		r.faults = append(r.faults, fmt.Sprintf("%v is opened without doubt, and was not handed over", p))
	}
	if doubt {
		r.doubts++
	}
	r.begun[p] = r.begun[p] || bad == nil
	if at, ok := r.closed[p]; ok {
		r.gaps = append(r.gaps, time.Since(at))
		delete(r.closed, p)
	}
	r.mu.Unlock()
	err := wait(ctx, d.link.upTo(r.slow))
	if err == nil {
		err = bad
	}
	d.exit(p, err == nil)
	return err
}

func (d *daemon) Close(ctx context.Context, p Partition, fenced bool) error {
	_ = d.enter(p, false)
	r := d.rig
	err := wait(ctx, d.link.upTo(r.slow))
	if err == nil && !fenced {
		err = d.trip()
	}
	if err == nil && !fenced {
		r.mu.Lock()
		r.closed[p], r.begun[p] = time.Now(), false
		r.mu.Unlock()
	}
	d.exit(p, err != nil)
	return err
}

// trip fails where it is to.
func (d *daemon) trip() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.rude {
		return nil
	}
	d.rude = false
	d.link.loses.Store(true)
	d.link.cut.Lock()
	time.AfterFunc(attempt+250*time.Millisecond, d.link.cut.Unlock)
	return errClose
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
