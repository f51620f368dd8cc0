package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Host works on the partitions that this member owns. Of one partition no two
// calls overlap.
type Host interface {
	// Open begins to work on a partition that is ours now. With doubt its last
	// owner has not handed it over: what it had under way may be done or not.
	Open(ctx context.Context, p Partition, doubt bool) error
	// Close ends that, and returns when nothing of it runs here any more. With
	// fenced the partition may be another's already: nothing is to be finished.
	// Without, what is under way is waited for, and the next owner begins when
	// Close has returned; where ctx is done first, Close comes back with an
	// error and is called again, with fenced.
	Close(ctx context.Context, p Partition, fenced bool) error
}

// Config is what a member is made of.
type Config struct {
	ID      string         // its own name among the members, the same after a restart
	Address string         // at which other members reach it
	Version string         // of the program
	Orgs    map[string]int // how many partitions each org has
	Host    Host
	Log     *slog.Logger
}

// Cluster is one member's part in it.
//
//	beat loop  → member.<id>
//	watch loop → view → turn loop → a tenure for each partition that is ours
//
// mu is never held across I/O or a call of the Host.
type Cluster struct {
	cfg   Config
	store store

	mu      sync.Mutex
	orgs    map[string]int        // guarded by mu; never changed, only replaced
	known   string                // guarded by mu; their fingerprint
	load    Load                  // guarded by mu; ours
	view    *view                 // guarded by mu
	session *session              // guarded by mu; nil while there is none
	changed chan struct{}         // guarded by mu; closed when who owns what has changed
	changes uint64                // guarded by mu; how often that was
	held    map[Partition]*tenure // guarded by mu; of which Holds says nil, for as long as the session does

	turn chan struct{} // size 1: the turn loop has something to do
	beat chan struct{} // size 1: the entry has changed
}

// New returns a member that waits for Run.
func New(cfg Config, bucket *Bucket) *Cluster { return newCluster(cfg, bucket) }

func newCluster(cfg Config, store store) *Cluster {
	return &Cluster{
		cfg: cfg, store: store, orgs: maps.Clone(cfg.Orgs), known: fingerprint(cfg.Orgs), view: newView(cfg.ID), changed: make(chan struct{}), held: map[Partition]*tenure{},
		turn: make(chan struct{}, 1), beat: make(chan struct{}, 1),
	}
}

var (
	// ErrFenced is why a member may do nothing: it could not renew its
	// heartbeat, and others may own by now what it had.
	ErrFenced = errors.New("this member has not renewed its heartbeat in time: what it owned may be another's")
	// ErrNotOwned is Holds' for a partition of another's.
	ErrNotOwned = errors.New("this member does not own the partition")
	// ErrOrgs says that orgs do not fit those of the cluster.
	ErrOrgs = errors.New("the orgs do not fit the cluster's")
)

// Run is a member until stay is done; then it hands over all that it owns and
// returns nil once that is done. When hard is done first it closes everything
// at once and leaves its lease to run out. It comes back at once where it cannot
// become a member: with ErrOrgs, or because another one has its id. All else
// that goes wrong is logged and tried again.
func (c *Cluster) Run(stay, hard context.Context) error {
	both, cancel := context.WithCancelCause(stay)
	defer context.AfterFunc(hard, func() { cancel(context.Cause(hard)) })()
	defer cancel(nil)
	var last *session
	for joined := false; ; {
		s, err := c.join(both, last)
		switch {
		case both.Err() != nil:
			return context.Cause(hard)
		case err != nil && !joined && (errors.Is(err, ErrOrgs) || errors.Is(err, errDisplaced)):
			return err
		case err != nil:
			c.cfg.Log.Error("this member cannot join the cluster yet", "error", err)
			pause(both, time.Second)
			last = nil
			continue
		}
		joined = true
		if err := c.serve(stay, hard, s); !errors.Is(err, ErrFenced) {
			return err
		}
		c.cfg.Log.Error("this member is fenced and joins anew", "session", s.id, "error", ErrFenced)
		last = s
	}
}

// SetOrgs replaces the orgs and their numbers of partitions, of which Agree has
// no complaint. What is not among them any more is given up.
func (c *Cluster) SetOrgs(orgs map[string]int) {
	c.mu.Lock()
	c.orgs, c.known = maps.Clone(orgs), fingerprint(orgs)
	c.notify()
	c.mu.Unlock()
	wake(c.beat)
}

// Agree holds each org's number of partitions against the cluster's, or makes
// it the cluster's. Two numbers would split calls: then the error wraps ErrOrgs.
func (c *Cluster) Agree(ctx context.Context, orgs map[string]int) error {
	var faults []error
	for _, org := range slices.Sorted(maps.Keys(orgs)) {
		if n := orgs[org]; n < 1 {
			faults = append(faults, fmt.Errorf("partitions of org %q is %d: must be at least 1", org, n))
			continue
		}
		n, err := c.agreeOn(ctx, org, orgs[org])
		if err != nil {
			return err
		}
		if n != orgs[org] {
			faults = append(faults, fmt.Errorf("partitions of org %q is %d: in the cluster it is %d, and must be the same on every member", org, orgs[org], n))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrOrgs, errors.Join(faults...))
	}
	return nil
}

// Holds says whether this member may act for a partition at this moment; nil:
// it may. It costs next to nothing, and is asked before each thing that an
// owner alone may do.
func (c *Cluster) Holds(p Partition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.held[p]; !ok {
		return fmt.Errorf("%w: %v", ErrNotOwned, p)
	}
	return c.fenced()
}

// Reopen has a partition closed and opened anew, where this member holds it, and
// returns once it is closed, or another's. That it opens is the business of
// whoever holds it, as always.
func (c *Cluster) Reopen(ctx context.Context, p Partition) {
	c.mu.Lock()
	t := c.held[p]
	c.mu.Unlock()
	if t == nil {
		return
	}
	closed := make(chan struct{})
	select {
	case t.again <- closed:
	case <-t.ctx.Done():
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-closed:
	case <-t.ctx.Done():
	case <-ctx.Done():
	}
}

// Fenced says whether this member may act at all; nil: it may.
func (c *Cluster) Fenced() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fenced()
}

// fenced is Fenced. The caller holds mu.
func (c *Cluster) fenced() error {
	if c.session == nil || c.session.expired(time.Now()) {
		return ErrFenced
	}
	return nil
}

// Owner is who owns a partition: the address of the member, and whether that is
// this one. ok is false while it has none.
func (c *Cluster) Owner(p Partition) (address string, here, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.view.holder(p)
	if m == nil {
		return "", false, false
	}
	_, held := c.held[p]
	return m.Address, m.ID == c.cfg.ID && held, true
}

// Changed is closed as soon as Owner may say something else than now.
func (c *Cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// notify has all who look, look again. The caller holds mu.
func (c *Cluster) notify() {
	c.changes++
	close(c.changed)
	c.changed = make(chan struct{})
	wake(c.turn)
}

// fingerprint tells sets of orgs apart.
func fingerprint(orgs map[string]int) string {
	h := fnv.New64a()
	for _, org := range slices.Sorted(maps.Keys(orgs)) {
		fmt.Fprintf(h, "%s %d\n", Token(org), orgs[org])
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// wake leaves a token where there is none.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause returns after d, or when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
