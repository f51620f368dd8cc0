package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// session is a membership without a break: from joining to leaving or to the
// fence. What was owned in one is not owned in the next.
type session struct {
	id        string
	previous  string    // the session before it
	revision  uint64    // of the entry, as last written; the beat loop's
	confirmed time.Time // guarded by the cluster's mu; when the last heartbeat was sent that was written
	leaving   bool      // guarded by the cluster's mu
	ailing    time.Time // guarded by the cluster's mu; until then
}

// expired is the fence: it falls fencedAfter from when the last heartbeat that
// was written was sent. The wall clock counts too, since the other one stands
// still while a machine is suspended.
func (s *session) expired(now time.Time) bool {
	return max(now.Sub(s.confirmed), now.Round(0).Sub(s.confirmed.Round(0))) >= fencedAfter
}

// attempt is how long one write may take.
const attempt = time.Second

// errDisplaced says that our entry was written by somebody who is not us.
var errDisplaced = errors.New("another member has the same id")

// join begins a session behind another one of ours, nil: none that we know of.
// With the first heartbeat this is a member.
func (c *Cluster) join(ctx context.Context, last *session) (*session, error) {
	s := &session{id: rand.Text()}
	if last != nil {
		s.previous, s.revision = last.id, last.revision
	} else if err := c.enter(ctx, s); err != nil {
		return nil, err
	}
	for told := false; ctx.Err() == nil; {
		sent := time.Now()
		err := c.write(ctx, s)
		if err == nil && time.Since(sent) < fencedAfter {
			s.confirmed = sent
			return s, nil
		}
		if err != nil && !errors.Is(err, errTaken) && !told {
			told = true
			c.cfg.Log.Warn("this member's first heartbeat is not written yet", "error", err)
		}
		if err := c.find(ctx, s); errors.Is(err, errDisplaced) {
			return nil, err
		}
		pause(ctx, beatEvery/5)
	}
	return nil, context.Cause(ctx)
}

// enter is what comes before the first session: the orgs are agreed on, and an
// entry under our name, of which we do not know that its session is over, is
// waited for until it is dead.
func (c *Cluster) enter(ctx context.Context, s *session) error {
	c.mu.Lock()
	orgs := c.orgs
	c.mu.Unlock()
	if err := c.Agree(ctx, orgs); err != nil {
		return err
	}
	m, err := c.entry(ctx)
	beats := 0
	for begun := time.Now(); err == nil && time.Since(begun) < deadAfter; {
		pause(ctx, beatEvery)
		var now seenMember
		if now, err = c.entry(ctx); err != nil || now.revision == m.revision {
			continue
		}
		m, begun = now, time.Now()
		if beats++; beats > 2 { // two of them may be the last of one that died, and late
			return fmt.Errorf("member id is %q: %w, at %q", c.cfg.ID, errDisplaced, m.Address)
		}
	}
	if errors.Is(err, errNoKey) {
		return nil
	}
	s.previous, s.revision = m.Session, m.revision
	return err
}

// entry reads our own entry.
func (c *Cluster) entry(ctx context.Context) (m seenMember, err error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	e, err := c.store.get(ctx, memberKey(c.cfg.ID))
	if err != nil {
		return m, fmt.Errorf("look for member %q: %w", c.cfg.ID, err)
	}
	if err := json.Unmarshal(e.value, &m.member); err != nil {
		c.cfg.Log.Warn("this member's old entry cannot be read", "error", err)
	}
	m.revision = e.revision
	return m, nil
}

// write sends a heartbeat.
func (c *Cluster) write(ctx context.Context, s *session) error {
	c.mu.Lock()
	m := heartbeat{member{
		ID: c.cfg.ID, Address: c.cfg.Address, Version: c.cfg.Version, Session: s.id,
		Leaving: s.leaving, Ailing: time.Now().Before(s.ailing), Orgs: c.known,
	}, c.load}
	c.mu.Unlock()
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write the entry of member %q: %w", c.cfg.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	revision, err := c.store.put(ctx, memberKey(c.cfg.ID), value, s.revision)
	if err == nil {
		s.revision = revision
	}
	return err
}

// find learns the revision of our entry, after a write whose answer was lost.
func (c *Cluster) find(ctx context.Context, s *session) error {
	m, err := c.entry(ctx)
	switch {
	case errors.Is(err, errNoKey):
		s.revision = 0
	case err != nil:
		return err
	case m.Session != s.id && m.Session != s.previous:
		return fmt.Errorf("member id is %q: %w, at %q", c.cfg.ID, errDisplaced, m.Address)
	default:
		s.revision = m.revision
	}
	return nil
}

// serve is a session, from its first heartbeat. It returns ErrFenced where
// another one must follow.
func (c *Cluster) serve(stay, hard context.Context, s *session) error {
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	loops, ctx := errgroup.WithContext(hard)
	over, end := context.WithCancel(ctx) // nothing is owned any more
	loops.Go(func() error { return c.beatLoop(over, s) })
	loops.Go(func() error { return c.watchLoop(over) })
	loops.Go(func() error {
		defer end()
		return newTurns(ctx, c, s).loop(stay)
	})
	err := loops.Wait()
	end()
	c.mu.Lock()
	c.session = nil
	c.notify()
	c.mu.Unlock()
	if err == nil && hard.Err() == nil {
		c.bury(hard, s)
		return nil
	}
	if hard.Err() != nil {
		return context.Cause(hard)
	}
	return err
}

// bury takes our entry away, so that nobody has to wait until it is dead. If
// that does not work, it runs out.
func (c *Cluster) bury(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	if err := c.store.remove(ctx, memberKey(c.cfg.ID), s.revision); err != nil {
		c.cfg.Log.Warn("this member's entry stays until it runs out", "error", err)
	}
}

// beatLoop renews the entry until ctx is done, or the fence has fallen.
func (c *Cluster) beatLoop(ctx context.Context, s *session) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.beat:
		case <-ctx.Done():
			return nil
		}
		if err := c.renew(ctx, s); err != nil {
			return err
		}
	}
}

// renew writes one heartbeat, trying again until the fence falls.
func (c *Cluster) renew(ctx context.Context, s *session) error {
	for ctx.Err() == nil {
		until, cancel := context.WithDeadline(ctx, s.confirmed.Add(fencedAfter))
		sent := time.Now()
		err := c.write(until, s)
		if errors.Is(err, errTaken) {
			err = errors.Join(err, c.find(until, s))
		}
		cancel()
		if s.expired(time.Now()) || errors.Is(err, errDisplaced) {
			return ErrFenced
		}
		if err == nil {
			c.mu.Lock()
			s.confirmed = sent
			c.mu.Unlock()
			return nil
		}
		pause(ctx, beatEvery/10)
	}
	return nil
}
