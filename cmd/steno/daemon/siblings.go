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
// and keeps its history, until ctx is done.
func (m *membership) tell(ctx context.Context) error {
	every := time.NewTicker(shareEvery)
	defer every.Stop()
	for kept := time.Now(); ; {
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
		m.cluster.SetLoad(m.load(time.Now()))
		keep := time.Since(kept) >= rememberEvery
		if keep {
			kept = time.Now()
		}
		for _, w := range m.daemon.pipelines.all() {
			if err := m.tellOf(ctx, w.pipeline, keep); err != nil && ctx.Err() == nil {
				w.log.Warn("what concerns the whole org is not told: the next word will tell it", "cause", err)
			}
		}
	}
}

// tellOf tells of one partition, while it is ours.
func (m *membership) tellOf(ctx context.Context, p *pipeline, keep bool) error {
	if m.cluster.Holds(p.partition()) != nil {
		return nil
	}
	word, err := json.Marshal(p.batcher.Share())
	if err != nil {
		return err
	}
	if err := m.share.Tell(p.partition(), word); err != nil || !keep {
		return err
	}
	history, err := json.Marshal(p.batcher.History())
	if err != nil {
		return err
	}
	return m.bucket.Keep(ctx, p.settings.SFOrg, history)
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
