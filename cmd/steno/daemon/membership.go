package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/cluster"
	"example.com/steno/ingest/relay"
)

// membership is a daemon's part in a cluster: which partitions are its own, the
// pipelines that work on them, and the way to the owners of all others.
//
//	engine → serveDoors → relay.Door → the owner's serveInner → its pipeline
//
// It is the cluster's Host: it opens a pipeline for each partition that it is
// given, and closes it when the partition is another's (owner.go). What the
// partitions of an org must tell one another is in siblings.go.
type membership struct {
	daemon    *Daemon
	beats     *nats.Conn          // of the bucket: a heartbeat waits for nobody's frames
	conn      *durable.Connection // of the spools
	bucket    *cluster.Bucket
	share     *cluster.Share
	cluster   *cluster.Cluster
	door      *relay.Door
	inner     net.Listener // of the other daemons' doors
	draining  atomic.Bool
	opened    *metrics.Counter
	recovered *metrics.Counter
}

// join makes the daemon's membership. Nothing runs yet. Whoever does not go on
// to run must close.
func (d *Daemon) join(ctx context.Context) error {
	s := &d.settings
	orgs := s.AllOrgs()
	for _, o := range orgs {
		d.roster.put(newMember(o, nil))
	}
	m := &membership{
		daemon: d,
		opened: d.set.NewCounter("steno_cluster_partitions_opened_total"), recovered: d.set.NewCounter("steno_cluster_recovered_utterances_total"),
	}
	if err := m.connectSoon(ctx, s); err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	m.share = cluster.NewShare(m.bucket)
	version, revision := cli.Version()
	m.cluster = cluster.New(cluster.Config{
		ID: s.clusterName(), Address: s.clusterAddress(), Version: version + revision, Orgs: partitionsByOrg(orgs), Host: m, Log: d.log,
	}, m.bucket)
	m.door = relay.New(relay.Config{Routes: m, Key: s.ClusterKey, MaxConnections: s.IngestMaxConnections, Log: d.log})
	m.gauges(d.set)
	d.membership = m
	return nil
}

// connectPatience is how long the cluster's JetStream may take: after a power
// cut its servers come back together with the daemons.
const connectPatience = time.Minute

// connectSoon connects, as soon as that can be done.
func (m *membership) connectSoon(ctx context.Context, s *Settings) error {
	patience, enough := context.WithTimeout(ctx, connectPatience)
	defer enough()
	for {
		err := m.connect(patience, s)
		if err == nil {
			return nil
		}
		m.close()
		m.daemon.log.Warn("the cluster's JetStream is not there yet", "cause", err)
		again := time.NewTimer(time.Second)
		select {
		case <-again.C:
		case <-patience.Done():
			again.Stop()
			return err
		}
	}
}

func (m *membership) connect(ctx context.Context, s *Settings) (err error) {
	m.beats, err = nats.Connect(s.SpoolURL, nats.Name("steno cluster"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ReconnectBufSize(-1))
	if err != nil {
		return err
	}
	if m.conn, err = durable.Connect(s.SpoolURL); err != nil {
		return err
	}
	if err := s.checkServers(ctx); err != nil {
		return err
	}
	ctx, enough := context.WithTimeout(ctx, 3*time.Second) // what is asked of servers that elect a leader is lost
	defer enough()
	m.bucket, err = cluster.OpenBucket(ctx, m.beats, s.ClusterReplicas)
	return err
}

// close gives the connections back, once nothing runs any more.
func (m *membership) close() {
	if m == nil {
		return
	}
	if m.conn != nil {
		m.conn.Close()
	}
	if m.beats != nil {
		m.beats.Close()
	}
	m.conn, m.beats = nil, nil
}

// listen opens the inner listener. run closes it.
func (m *membership) listen() (err error) {
	if m.inner, err = net.Listen("tcp", m.daemon.settings.ClusterListen); err != nil {
		return fmt.Errorf("open %sCLUSTER_LISTEN: %w", Prefix, err)
	}
	return nil
}

// run is a member until stay is done, and returns when its partitions are
// handed over and its doors have drained.
func (m *membership) run(stay, hard context.Context) error {
	if m == nil {
		return nil
	}
	inner := &http.Server{Handler: http.HandlerFunc(m.serveInner), ReadHeaderTimeout: headerTimeout}
	g, ctx := errgroup.WithContext(hard)
	over, end := context.WithCancel(ctx)
	g.Go(func() error { return serve(inner, m.inner) })
	g.Go(func() error { return m.door.Run(over) })
	g.Go(func() error { return m.tell(over) })
	g.Go(func() error { return m.remember(over) })
	g.Go(func() error {
		defer end()
		both, failed := errgroup.WithContext(ctx)
		both.Go(func() error { return m.cluster.Run(stay, ctx) })
		both.Go(func() error {
			select {
			case <-stay.Done():
			case <-failed.Done():
			}
			m.draining.Store(true)
			patience, enough := context.WithTimeout(ctx, m.daemon.settings.DrainTimeout)
			defer enough()
			return m.door.Drain(patience)
		})
		return errors.Join(both.Wait(), inner.Close())
	})
	return g.Wait()
}

// replace puts an org's new settings in force, here. nil: there is no such org
// any more, and announce gives its partitions up.
func (m *membership) replace(ctx context.Context, name string, o *Org) {
	if o == nil {
		m.daemon.roster.drop(name)
		return
	}
	m.daemon.roster.put(newMember(*o, nil))
	for n := range o.ClusterPartitions {
		m.cluster.Reopen(ctx, cluster.Partition{Org: name, Number: n})
	}
}

// agrees says whether the cluster takes these orgs.
func (m *membership) agrees(ctx context.Context, orgs []Org) error {
	if m == nil {
		return nil
	}
	return m.cluster.Agree(ctx, partitionsByOrg(orgs))
}

// announce tells the cluster which orgs there are.
func (m *membership) announce(orgs []Org) {
	if m != nil {
		m.cluster.SetOrgs(partitionsByOrg(orgs))
	}
}

// readiness says whether engines are well advised to connect here: the daemon
// can pass on what they say, and one of the partitions that it owns itself, if
// there are any, is ready.
func (m *membership) readiness(ctx context.Context) (ready bool, reasons []reason) {
	all := m.daemon.working()
	ready = len(all) == 0
	for _, w := range all {
		of := w.unready(ctx)
		ready = ready || len(of) == 0
		for _, r := range of {
			r.Org = w.name
			reasons = append(reasons, r)
		}
	}
	if m.draining.Load() {
		ready, reasons = false, append(reasons, reason{Code: "draining", Message: "the daemon is shutting down"})
	}
	if err := m.cluster.Fenced(); err != nil {
		ready, reasons = false, append(reasons, reason{Code: "cluster", Message: err.Error()})
	}
	return ready, reasons
}
