package cluster

import (
	"context"
	"time"
)

// rereadEvery is how often the watch begins anew although it seems to go well.
const rereadEvery = time.Minute

// watchLoop keeps the view until ctx is done.
func (c *Cluster) watchLoop(ctx context.Context) error {
	for ctx.Err() == nil {
		begun := time.Now()
		err := c.watch(ctx)
		if ctx.Err() == nil && time.Since(begun) < rereadEvery {
			c.cfg.Log.Warn("the watch of the cluster begins anew", "error", err)
		}
		pause(ctx, beatEvery/5)
	}
	return nil
}

// watch reads everything, and then what changes. It ends when our own heartbeat
// does not come back, and after rereadEvery.
func (c *Cluster) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rereadEvery)
	defer cancel()
	deaf := time.AfterFunc(2*deafAfter, cancel)
	defer deaf.Stop()
	c.mu.Lock()
	next := c.view.renewed()
	c.mu.Unlock()
	return c.store.watch(ctx, func(e entry) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !next.whole || e.key == memberKey(c.cfg.ID) { // the beginning may be long
			deaf.Reset(2 * deafAfter)
		}
		changed := next.apply(time.Now(), e)
		if e.key == "" {
			next.inherit(c.view)
			c.view = next
		}
		if changed && next.whole {
			c.notify()
		}
	})
}
