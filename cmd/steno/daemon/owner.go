package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/steno/cluster"
	"example.com/steno/ingest/relay"
)

// Route is where the calls of a key are worked on.
func (m *membership) Route(org, call string) (relay.Target, bool) {
	known, ok := m.daemon.roster.named(org)
	if !ok {
		return relay.Target{}, false
	}
	p := cluster.PartitionOf(org, call, known.ClusterPartitions)
	address, _, ok := m.cluster.Owner(p)
	return relay.Target{Address: address, Org: p.Org, Partition: p.Number}, ok
}

// Changed is closed when a route has changed.
func (m *membership) Changed() <-chan struct{} { return m.cluster.Changed() }

// serveDoors lets an engine of an org in, and relays what it says.
func (m *membership) serveDoors(w http.ResponseWriter, r *http.Request, org member) {
	if org.guard.Admits(w, r) {
		m.door.Handler(org.SFOrg).ServeHTTP(w, r)
	}
}

// serveInner lets the doors of the cluster's daemons in, each to the partition
// that it names. The pipeline asks for the cluster's key.
func (m *membership) serveInner(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.Header.Get(relay.HeaderPartition))
	p := cluster.Partition{Org: r.Header.Get(relay.HeaderOrg), Number: number}
	worker := m.daemon.pipelines.find(p.String())
	if err != nil || worker == nil || m.cluster.Holds(p) != nil {
		http.Error(w, "this daemon does not work on that partition", http.StatusMisdirectedRequest)
		return
	}
	worker.handler.ServeHTTP(w, r)
}

// Open takes a partition over. With doubt, what waits may have been sent by its
// last owner: it is counted.
func (m *membership) Open(ctx context.Context, p cluster.Partition, doubt bool) error {
	org, ok := m.daemon.roster.named(p.Org)
	if !ok {
		return fmt.Errorf("open %v: there is no org of that name", p)
	}
	if err := m.daemon.pipelines.leave(ctx, p.String(), true); err != nil { // one that was left behind
		return err
	}
	cfg := m.daemon.outfitOf(org.Settings.of(p))
	cfg.name, cfg.log = p.String(), m.daemon.log.With("partition", p.String())
	cfg.partition, cfg.partitions, cfg.member = p.Number, org.ClusterPartitions, m
	cfg.maySend = func() error { return m.cluster.Holds(p) }
	one, err := newPipeline(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open %v: %w", p, err)
	}
	m.opened.Inc()
	if on, ok := one.spool.(*durable.Spool); ok && doubt {
		m.recovered.Add(int(on.Stats().Recovered)) // which of them were in flight nobody knows
	}
	if err := m.daemon.pipelines.add(p.String(), one); err != nil {
		return errors.Join(err, one.close())
	}
	return nil
}

// openSpool opens a partition's part of the cluster's JetStream.
func (m *membership) openSpool(ctx context.Context, p *pipeline) (spool.Spool, error) {
	at := p.partition()
	cfg := p.settings.SpoolConfig(p.set, p.log)
	cfg.Dir, cfg.URL, cfg.Conn, cfg.Replicas = "", "", m.conn, p.settings.ClusterReplicas
	cfg.Name = fmt.Sprintf("%s-%d", cluster.Token(at.Org), at.Number)
	cfg.Lease = func() error { return m.cluster.Holds(at) }
	return durable.Open(ctx, cfg)
}

// Close hands a partition over, or drops it where it is another's already.
func (m *membership) Close(ctx context.Context, p cluster.Partition, fenced bool) error {
	return m.daemon.pipelines.leave(ctx, p.String(), fenced)
}

// reviveAfter is how long a partition is left alone whose pipeline has ended by
// itself.
const reviveAfter = time.Second

// revive opens a partition anew whose pipeline has ended by itself, unless it is
// another's: then that was why.
func (m *membership) revive(ctx context.Context, w *worker) {
	w.log.Warn("nothing works on a partition any more: it is another's, or is opened anew", "cause", w.err)
	timer := time.NewTimer(reviveAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		if p := w.partition(); m.daemon.pipelines.find(p.String()) == w { // else it has a pipeline again
			m.cluster.Reopen(ctx, p)
		}
	case <-ctx.Done():
	}
}

// partition is the pipeline's.
func (p *pipeline) partition() cluster.Partition {
	return cluster.Partition{Org: p.settings.SFOrg, Number: p.cfg.partition}
}
