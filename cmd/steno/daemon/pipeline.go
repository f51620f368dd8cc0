package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/monitor"
	"example.com/steno/ingest"
	"example.com/steno/sfclient"
)

// pipelineConfig says what a pipeline works on, and with what.
type pipelineConfig struct {
	settings Settings // the org's
	name     string   // of the org, or the partition; empty where it is the only one
	log      *slog.Logger

	// partition of partitions is the part of the org's calls that is worked on. A
	// daemon alone has all of them, as partition 0 of 1; zero means the same.
	partition, partitions int

	spool   spool.Spool       // nil: opened as the settings say. The pipeline closes it
	maySend func() error      // asked before every request; its error holds the request back. nil: yes
	member  *membership       // of the cluster that has given the partition to us; nil: there is none
	http    http.RoundTripper // to Salesforce. nil: sfclient's own
	dialer  *websocket.Dialer // of the probe, to the doors. nil: the network's
	doors   func() string     // where the probe finds the doors. nil: nothing is probed
}

// pipeline is what works on one org, or on one partition of it: all that there
// is between the front, which lets requests in, and Salesforce. No two share
// anything that an utterance could pass through.
type pipeline struct {
	cfg      pipelineConfig
	settings *Settings // cfg's
	log      *slog.Logger
	set      *metrics.Set
	name     string // of org and partition; empty where it is the only one
	spool    spool.Spool
	client   *sfclient.Client
	batcher  *batcher.Batcher
	ingest   *ingest.Server
	handler  http.Handler // ingest's doors
	letters  letters
	monitor  *monitor.Monitor
	traces   traces
	probing  probing
	draining atomic.Bool
	shut     chan struct{} // closed once the doors have drained

	delivered []*spool.Record // settled's own, empty between two calls
}

// newPipeline opens the spool, where it is not given one, and wires a pipeline.
// Nothing runs yet. Whoever does not go on to run must close.
func newPipeline(ctx context.Context, cfg pipelineConfig) (*pipeline, error) {
	p := &pipeline{cfg: cfg, name: cfg.name, log: cfg.log, set: metrics.NewSet(), spool: cfg.spool, shut: make(chan struct{})}
	p.settings = &p.cfg.settings
	var err error
	if p.client, err = p.settings.newClient(p.log, cfg.http); err != nil {
		return nil, err
	}
	switch {
	case p.spool != nil:
	case cfg.member != nil:
		p.spool, err = cfg.member.openSpool(ctx, p)
	default:
		p.spool, err = openSpool(ctx, p.settings, p.set, p.log)
	}
	if err != nil {
		return nil, err
	}
	p.wire()
	return p, nil
}

// wire makes the parts and joins them, with the monitor in between.
func (p *pipeline) wire() {
	s := p.settings
	p.letters = newLetters(p)
	p.probing = newProbing(p.set)
	p.monitor = p.newMonitor()
	p.batcher = batcher.New(batcher.Config{
		Limits: batcher.Limits{
			MaxEntries: s.BatchMaxCalls, MaxMessages: s.BatchMaxMessages, MaxInFlight: s.SFMaxInFlight,
			MaxWait: s.BatchMaxWait, StretchWait: s.BatchStretchWait, Reserve: s.APIReserve, MixSpeakers: s.BatchSpeakers == "mixed",
			Grace: s.BatchGrace, EndGrace: s.BatchEndGrace, Siblings: max(1, p.cfg.partitions) - 1,
		},
		Name: p.name, Spool: p.spool, Sender: p.sender(), OnTaken: p.monitor.Taken, OnSettled: p.settled, Metrics: p.set, Log: p.log,
		History: p.history(),
	})
	doors := s.ingestConfig()
	doors.OnPartial, doors.Watch = p.monitor.Partial, p.watch()
	if p.cfg.member != nil {
		// who comes has been let in by a door of the cluster
		doors.Tokens, doors.QueryToken, doors.Shared, doors.Relayed = []string{s.ClusterKey}, false, false, true
	}
	p.ingest = ingest.New(doors, watchedSpool{p.spool, p.monitor}, p.set, p.log)
	p.handler = p.ingest.Handler()
	p.set.RegisterMetricsWriter(func(w io.Writer) {
		writeAccount(w, p.spool.Account(), time.Now())
		writeStore(w, p.spool)
		writeLetters(w, p.spool.DeadLetters().Kept())
		writeLimit(w, p.client)
		p.writeReadiness(w)
	})
}

// ingestConfig is what the settings say of the doors.
func (s *Settings) ingestConfig() ingest.Config {
	return ingest.Config{
		Tokens: s.IngestTokens, QueryToken: s.IngestQueryToken, Shared: s.Several(), Org: s.SFOrg, Window: s.IngestWindow, Resume: s.IngestResume,
		MaxContent: s.IngestMaxContent, MaxConnections: s.IngestMaxConnections, MaxStreams: s.IngestMaxStreams, MaxRate: s.IngestMaxRate,
	}
}

// settled tells the monitor, and passes on what Salesforce has accepted to the
// engines that asked. The batcher calls it, one time after the other.
func (p *pipeline) settled(all []batcher.Settled) {
	p.monitor.Settled(all)
	if !p.ingest.Listened() {
		return
	}
	for i := range all {
		if s := &all[i]; s.Rejected == "" {
			p.delivered = append(p.delivered, s.Record)
		}
	}
	if len(p.delivered) > 0 {
		p.ingest.Settled(all[0].Answered, p.delivered) // one answer settles them all
	}
	clear(p.delivered) // of what was said nothing is kept
	p.delivered = p.delivered[:0]
}

// errDrainTimeout is why requests in flight are cut at the end of a drain.
var errDrainTimeout = errors.New("the drain took longer than " + Prefix + "DRAIN_TIMEOUT")

// run works until ctx is done, and then stops in the order of the flow:
//
//  1. ingest: no new connection; what was received is appended and
//     acknowledged, and the engines are told to reconnect elsewhere; then shut
//     is closed
//  2. the batcher: what the spool holds is sent without waiting for company; in
//     a cluster what is in flight is waited for, and the rest is the next owner's
//  3. after DrainTimeout, or when hard is done, the requests in flight are cut
//  4. the spool is closed
//
// It returns nil when everything accepted is settled, also when utterances
// were rejected, or when what is not is safe on the disk.
func (p *pipeline) run(ctx, hard context.Context) error {
	hard, cut := context.WithCancelCause(hard)
	defer cut(nil)
	input, closeInput := context.WithCancel(hard)
	defer closeInput()
	flushed := make(chan struct{})

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.ingest.Run(hard) })
	g.Go(func() error { return p.watchUsage(gctx) })
	g.Go(func() error { return p.keepHistory(hard, p.settings.historyPath()) })
	g.Go(func() error { return p.probe(gctx) })
	g.Go(func() error { return p.letters.sweep(hard) })
	g.Go(func() error { return p.greet(gctx) })
	g.Go(func() error { return p.hear(gctx) })
	g.Go(func() error {
		defer close(flushed)
		return p.batcher.Run(input, hard)
	})
	g.Go(func() error {
		select {
		case <-gctx.Done(): // asked to stop, or the first failure of the others
		case <-hard.Done():
		}
		p.draining.Store(true)
		p.log.Info("draining", "pending", p.spool.Account().Pending, "cause", context.Cause(gctx))
		timer := time.AfterFunc(p.settings.DrainTimeout, func() { cut(errDrainTimeout) })
		defer timer.Stop()

		err := p.drainDoors(hard)
		close(p.shut)
		if p.cfg.member != nil {
			p.batcher.Leave()
		}
		closeInput()
		<-flushed
		cut(nil)
		return err
	})
	err := g.Wait()
	if _, lost := p.spool.(*spool.Memory); errors.Is(err, errDrainTimeout) && !lost {
		if pending := p.spool.Account().Pending; pending > 0 {
			p.log.Warn("not everything has reached salesforce: the next start goes on with it", "pending", pending)
		} else {
			p.log.Warn("connections were cut: they had not ended when the time to drain was over", "timeout", p.settings.DrainTimeout)
		}
		err = nil
	}
	p.client.CloseIdleConnections()
	return errors.Join(err, p.close())
}

// handOverWait is how long the connections of a partition that moves may take to
// end: the next owner waits for that. What is not acknowledged by then is sent
// again by the engines, and told from what is new by its seq.
const handOverWait = 700 * time.Millisecond

// drainDoors has all connections end.
func (p *pipeline) drainDoors(hard context.Context) error {
	if p.cfg.member == nil {
		return p.ingest.Drain(hard)
	}
	ctx, cancel := context.WithTimeout(hard, handOverWait)
	defer cancel()
	if err := p.ingest.Drain(ctx); err != nil {
		p.log.Info("connections of a partition that moves were cut", "cause", err)
	}
	return nil
}

// close is for a pipeline that does not run.
func (p *pipeline) close() error { return p.spool.Close() }

// greet fetches the token before the first utterance needs it. An org that
// refuses is no reason to stop: the spool holds what comes in, and /readyz
// tells.
func (p *pipeline) greet(ctx context.Context) error {
	if err := p.client.Token(ctx); err != nil && ctx.Err() == nil {
		p.log.Error("salesforce gives no token", "login_url", p.settings.SFLoginURL, "cause", err)
	}
	return nil
}
