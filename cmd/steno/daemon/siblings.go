package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/cmd/steno/cluster"
)

// shareEvery is how often the owners of an org's partitions tell one another
// what is the whole org's.
const shareEvery = time.Second

// tell tells the siblings of every pipeline of ours what is the whole org's,
// and the cluster what we have to do, until ctx is done.
func (m *membership) tell(ctx context.Context) error {
	again(ctx, shareEvery, func() {
		m.cluster.SetLoad(m.load(time.Now()))
		m.eachOfOurs(ctx, func(p *pipeline) error {
			word, err := json.Marshal(p.batcher.Share())
			if err != nil {
				return err
			}
			return m.share.Tell(p.partition(), word)
		})
	})
	return nil
}

// remember keeps the history of every pipeline of ours, until ctx is done. It
// does so apart from tell: a bucket that is slow would hold that up, and who
// tells nothing for seconds is thought to be away.
func (m *membership) remember(ctx context.Context) error {
	again(ctx, rememberEvery, func() {
		m.eachOfOurs(ctx, func(p *pipeline) error {
			history, err := json.Marshal(p.batcher.History())
			if err != nil {
				return err
			}
			return m.bucket.Keep(ctx, p.settings.SFOrg, history)
		})
	})
	return nil
}

// again calls do every so often, until ctx is done.
func again(ctx context.Context, every time.Duration, do func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// eachOfOurs calls do for every pipeline whose partition is ours.
func (m *membership) eachOfOurs(ctx context.Context, do func(*pipeline) error) {
	for _, w := range m.daemon.pipelines.all() {
		if m.cluster.Holds(w.partition()) != nil {
			continue
		}
		if err := do(w.pipeline); err != nil && ctx.Err() == nil {
			w.log.Warn("what concerns the whole org is not told: the next word will tell it", "cause", err)
		}
	}
}

// hear has a pipeline hear its siblings until ctx is done.
func (p *pipeline) hear(ctx context.Context) error {
	if p.cfg.member == nil {
		return nil
	}
	stop, err := p.cfg.member.share.Hear(p.partition(), func(from cluster.Partition, word []byte) {
		var s batcher.Share
		if err := json.Unmarshal(word, &s); err != nil {
			p.log.Warn("a sibling cannot be understood", "sibling", from.String(), "cause", err)
			return
		}
		p.batcher.Hear(from.String(), s)
	})
	if err != nil {
		return err
	}
	defer stop()
	<-ctx.Done()
	return nil
}

// history is what owners of the org's partitions have kept. It is only a
// forecast's: what cannot be read is worth a line in the log.
func (m *membership) history(org string, log *slog.Logger) (slots []batcher.Slot) {
	kept, err := m.bucket.Kept(context.Background(), org) // two seconds at most
	if err == nil && kept != nil {
		err = json.Unmarshal(kept, &slots)
	}
	if err != nil {
		log.Warn("the history of the API budget cannot be read: the forecast begins anew", "cause", err)
		return nil
	}
	return slots
}
