package cluster

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// memory is a bucket that many members share.
type memory struct {
	mu       sync.Mutex
	revision uint64
	last     map[string]entry
	watchers map[*cable][]chan entry
	traffic  traffic
}

// traffic counts what goes to and from the memory.
type traffic struct{ writes, written, delivered, deliveredBytes int }

func newMemory() *memory {
	return &memory{last: map[string]entry{}, watchers: map[*cable][]chan entry{}}
}

func (m *memory) write(key string, value []byte, revision uint64, deleted bool) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.last[key]
	if old.revision != revision && !(revision == 0 && old.deleted) {
		return 0, errTaken
	}
	m.revision++
	e := entry{key: key, value: value, revision: m.revision, deleted: deleted}
	m.last[key] = e
	m.traffic.writes++
	m.traffic.written += len(key) + len(value)
	for _, all := range m.watchers {
		for _, w := range all {
			w <- e
			m.traffic.delivered++
			m.traffic.deliveredBytes += len(key) + len(value)
		}
	}
	return m.revision, nil
}

// follow returns everything there is, and from then on every change.
func (m *memory) follow(c *cable) ([]entry, chan entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := make(chan entry, 100_000)
	m.watchers[c] = append(m.watchers[c], news)
	return slices.SortedFunc(maps.Values(m.last), func(a, b entry) int { return cmp.Compare(a.revision, b.revision) }), news
}

func (m *memory) unfollow(c *cable, news chan entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[c] = slices.DeleteFunc(m.watchers[c], func(w chan entry) bool { return w == news })
}

// cable is one member's way to the memory. It can be cut, and what was sent
// while it was is either lost or arrives late.
type cable struct {
	*memory
	cut   sync.Mutex // held while it is
	rng   *rand.Rand
	dice  sync.Mutex
	loses atomic.Bool
}

func newCable(m *memory, seed uint64) *cable {
	c := &cable{memory: m, rng: rand.New(rand.NewPCG(seed, 1))}
	c.loses.Store(seed%2 == 0)
	return c
}

func (c *cable) upTo(d time.Duration) time.Duration {
	c.dice.Lock()
	defer c.dice.Unlock()
	return time.Duration(c.rng.Int64N(int64(d)))
}

// pass returns what f does once it is through, or ctx's end; then f is done
// later or never.
func (c *cable) pass(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() {
		time.Sleep(c.upTo(5 * time.Millisecond))
		for !c.cut.TryLock() {
			if c.loses.Load() && ctx.Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.cut.Unlock()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *cable) get(ctx context.Context, key string) (entry, error) {
	found := make(chan entry, 1)
	if err := c.pass(ctx, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		found <- c.last[key]
		return nil
	}); err != nil {
		return entry{}, err
	}
	e := <-found
	if e.revision == 0 || e.deleted {
		return entry{}, errNoKey
	}
	return e, nil
}

func (c *cable) put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	written := make(chan uint64, 1)
	err := c.pass(ctx, func() error {
		n, err := c.write(key, value, revision, false)
		written <- n
		return err
	})
	if err != nil {
		return 0, err
	}
	return <-written, nil
}

func (c *cable) remove(ctx context.Context, key string, revision uint64) error {
	return c.pass(ctx, func() error {
		_, err := c.write(key, nil, revision, true)
		return err
	})
}

func (c *cable) watch(ctx context.Context, f func(entry)) error {
	all, news := c.follow(c)
	defer c.unfollow(c, news)
	if err := c.pass(ctx, func() error { return nil }); err != nil {
		return err
	}
	for _, e := range append(all, entry{}) {
		f(e)
	}
	for {
		select {
		case e := <-news:
			if err := c.pass(ctx, func() error { return nil }); err != nil {
				return err
			}
			f(e)
			for range len(news) { // what came meanwhile comes along
				f(<-news)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
