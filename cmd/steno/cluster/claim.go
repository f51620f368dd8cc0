package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	openTries = 5                      // of a partition that does not open, before another member has a try
	openPause = 100 * time.Millisecond // after the first of them; then twice as long, and so on
	ailingFor = time.Minute            // after that a member takes nothing
)

// tenure is one partition in one session, from the claim to the release:
//
//	T1  claimed with compare-and-set against the entry that said it was free
//	T2  held from then on, and opened
//	T3  asked to give it away: closed, then released in the name of the next one
//	T4  the session over, or the entry another's: closed hard, and not released
//	T5  what does not open after some tries is released to another, if there is
//	    one; this member is ailing then
//	T6  asked to, it is closed and opened anew, and stays ours (Reopen)
//	T7  what was not handed over in order is in doubt, until somebody has worked
//	    on it and handed it over
//
// Its goroutine is the only one that calls the Host for the partition.
type tenure struct {
	Partition
	c        *Cluster
	s        *session
	ctx      context.Context // done: T4
	lose     context.CancelFunc
	give     chan string        // size 1: T3, with the next member, or none
	again    chan chan struct{} // T6; what comes is closed once the partition is
	giving   bool               // the turn loop's: give was told
	begun    time.Time
	revision uint64 // of the entry
	moves    uint64
	stranger bool // another member had it before
	doubt    bool // T7
}

// run is the tenure. What cannot be claimed is left to the next turn.
func (t *tenure) run() {
	if err := t.write(t.ctx, tenancy{Member: t.c.cfg.ID, Session: t.s.id, Moves: t.claimed(), Doubt: t.doubt}); err != nil {
		if !errors.Is(err, errTaken) && t.ctx.Err() == nil {
			t.c.cfg.Log.Warn("a partition is not claimed yet", "partition", t.String(), "error", err)
		}
		return
	}
	t.hold(true)
	defer t.hold(false)
	next, opened := t.open()
	for opened {
		var closed chan struct{}
		select {
		case next = <-t.give:
		case closed = <-t.again:
		case <-t.ctx.Done():
		}
		if !t.close() {
			return
		}
		if opened = closed != nil; opened { // T6
			close(closed)
			next, opened = t.open()
		}
	}
	t.hold(false)
	if t.ctx.Err() == nil {
		t.release(next)
	}
}

func (t *tenure) claimed() uint64 {
	if t.stranger {
		return t.moves + 1
	}
	return t.moves
}

// hold says whether Holds agrees.
func (t *tenure) hold(held bool) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if _, before := t.c.held[t.Partition]; before == held {
		return
	}
	if held {
		t.c.held[t.Partition] = t
	} else {
		delete(t.c.held, t.Partition)
	}
	t.c.notify()
}

// open tries until the partition is open, or is to be given to next (T5).
func (t *tenure) open() (next string, opened bool) {
	wait := openPause
	for try := 1; ; try++ {
		err := t.c.cfg.Host.Open(t.ctx, t.Partition, t.doubt)
		if err == nil {
			return "", true
		}
		if t.ctx.Err() != nil {
			return "", false
		}
		t.c.cfg.Log.Error("a partition does not open", "partition", t.String(), "try", try, "error", err)
		if next := t.c.successor(t.Partition); try >= openTries && next != "" {
			t.ail()
			return next, false
		}
		timer := time.NewTimer(wait)
		select {
		case next = <-t.give:
			timer.Stop()
			return next, false
		case closed := <-t.again:
			timer.Stop()
			close(closed)
		case <-t.ctx.Done():
			timer.Stop()
			return "", false
		case <-timer.C:
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// ail keeps this member from taking more for a while.
func (t *tenure) ail() {
	t.c.mu.Lock()
	t.s.ailing = time.Now().Add(ailingFor)
	t.c.mu.Unlock()
	wake(t.c.beat)
}

// close ends the work. It says whether the partition is still ours to release.
func (t *tenure) close() bool {
	if t.ctx.Err() == nil {
		err := t.c.cfg.Host.Close(t.ctx, t.Partition, false)
		if err == nil {
			t.doubt = false
			return true
		}
		t.c.cfg.Log.Error("a partition is not closed cleanly", "partition", t.String(), "error", err)
	}
	t.doubt = true
	if err := t.c.cfg.Host.Close(context.WithoutCancel(t.ctx), t.Partition, true); err != nil {
		t.c.cfg.Log.Error("a fenced partition is not closed", "partition", t.String(), "error", err)
	}
	return t.ctx.Err() == nil
}

// release leaves the partition to the next member, which waits for that. If it
// cannot be written, a later turn does it.
func (t *tenure) release(next string) {
	err := t.write(t.ctx, tenancy{Next: next, Moves: t.claimed(), Doubt: t.doubt})
	if err != nil && !errors.Is(err, errTaken) && t.ctx.Err() == nil {
		t.c.cfg.Log.Warn("a partition is not released yet", "partition", t.String(), "next", next, "error", err)
	}
}

// write changes the entry against its last revision.
func (t *tenure) write(ctx context.Context, to tenancy) error {
	to.Since = time.Now().UTC()
	value, err := json.Marshal(to)
	if err != nil {
		return fmt.Errorf("write the owner of %v: %w", t.Partition, err)
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	revision, err := t.c.store.put(ctx, ownerKey(t.Partition), value, t.revision)
	if err == nil {
		t.revision = revision
	}
	return err
}

// agreeOn returns how many partitions the org has in the cluster: n, where it
// had none.
func (c *Cluster) agreeOn(ctx context.Context, org string, n int) (int, error) {
	value, err := json.Marshal(size{n})
	if err != nil {
		return 0, fmt.Errorf("agree on the partitions of org %q: %w", org, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*attempt)
	defer cancel()
	for {
		e, err := c.store.get(ctx, orgKey(org))
		if errors.Is(err, errNoKey) {
			if _, err = c.store.put(ctx, orgKey(org), value, 0); errors.Is(err, errTaken) {
				pause(ctx, beatEvery/10) // by somebody whose entry is not to be read yet
				continue
			}
			return n, err
		}
		var s size
		if err == nil {
			err = json.Unmarshal(e.value, &s)
		}
		if err != nil {
			return 0, fmt.Errorf("agree on the partitions of org %q: %w", org, err)
		}
		return s.Partitions, nil
	}
}
