// Package daemon wires Steno's flow and stops it in the order of the flow. It
// is a package of its own, beside cmd/steno, so that stenolab can run the very
// daemon that people run.
//
//	[ engines → ingest → spool → batcher → sfclient → Salesforce ]
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/monitor"
	"example.com/steno/ingest"
	"example.com/steno/sfclient"
)

// Daemon is one Steno, from Listen to the end of Run.
type Daemon struct {
	settings Settings
	log      *slog.Logger
	set      *metrics.Set
	spool    spool.Spool
	client   *sfclient.Client
	batcher  *batcher.Batcher
	ingest   *ingest.Server
	doors    net.Listener // of the engines
	admin    net.Listener
	letters  letters
	monitor  *monitor.Monitor
	hub      *monitor.Hub
	traces   traces
	probing  probing
	draining atomic.Bool

	delivered []spool.Record // settled's own, empty between two calls

	lastWords string // the account at the end of Run
}

// New opens the spool and wires a daemon. Nothing else runs and nothing listens
// yet. Whoever does not go on to Run must Close.
func New(ctx context.Context, s Settings, log *slog.Logger) (*Daemon, error) {
	client, err := s.NewClient(log)
	if err != nil {
		return nil, err
	}
	set := metrics.NewSet()
	kept, err := openSpool(ctx, s, set, log)
	if err != nil {
		return nil, err
	}
	return wire(s, client, kept, set, log), nil
}

// wire is New with a client and a spool that exist.
func wire(s Settings, client *sfclient.Client, kept spool.Spool, set *metrics.Set, log *slog.Logger) *Daemon {
	d := &Daemon{settings: s, log: log, set: set, spool: kept, client: client}
	d.letters = newLetters(d)
	d.probing = newProbing(set)
	d.monitor, d.hub = d.newMonitor()
	watched := watchedSpool{d.spool, d.monitor}
	d.batcher = batcher.New(batcher.Config{
		Limits: batcher.Limits{
			MaxEntries: s.BatchMaxCalls, MaxMessages: s.BatchMaxMessages, MaxInFlight: s.SFMaxInFlight,
			MaxWait: s.BatchMaxWait, StretchWait: s.BatchStretchWait, Reserve: s.APIReserve, MixSpeakers: s.BatchSpeakers == "mixed",
			Grace: s.BatchGrace, EndGrace: s.BatchEndGrace,
		},
		Spool: watched, Sender: watchedSender{newSender(client, d.set), d.monitor, &d.traces}, OnSettled: d.settled, Metrics: d.set, Log: log,
		History: s.readHistory(log),
	})
	d.ingest = ingest.New(ingest.Config{
		Tokens: s.IngestTokens, QueryToken: s.IngestQueryToken, Org: s.SFOrg, Window: s.IngestWindow, Resume: s.IngestResume,
		MaxContent: s.IngestMaxContent, MaxConnections: s.IngestMaxConnections, MaxStreams: s.IngestMaxStreams, MaxRate: s.IngestMaxRate,
		OnPartial: d.monitor.Partial, Watch: d.watch(),
	}, watched, d.set, log)
	d.set.RegisterMetricsWriter(func(w io.Writer) {
		writeAccount(w, d.spool.Account(), time.Now())
		writeStore(w, d.spool)
		writeLetters(w, d.spool.DeadLetters().Kept())
		writeLimit(w, d.client)
		d.writeReadiness(w)
	})
	return d
}

// settled tells the monitor, and passes on what Salesforce has accepted to the
// engines that asked. The batcher calls it, one time after the other.
func (d *Daemon) settled(all []batcher.Settled) {
	d.monitor.Settled(all)
	for i := range all {
		if s := &all[i]; s.Rejected == "" {
			d.delivered = append(d.delivered, s.Record)
		}
	}
	if len(d.delivered) > 0 {
		d.ingest.Settled(all[0].Answered, d.delivered) // one answer settles them all
	}
	clear(d.delivered) // of what was said nothing is kept
	d.delivered = d.delivered[:0]
}

// Listen opens the daemon's two addresses. Run closes them.
func (d *Daemon) Listen() error {
	doors, err := net.Listen("tcp", d.settings.Listen)
	if err != nil {
		return fmt.Errorf("open the ingest doors at %sLISTEN: %w", Prefix, err)
	}
	admin, err := net.Listen("tcp", d.settings.AdminListen)
	if err != nil {
		return errors.Join(fmt.Errorf("open %sADMIN_LISTEN: %w", Prefix, err), doors.Close())
	}
	d.doors, d.admin = doors, admin
	return nil
}

// Addresses are where the daemon listens, after Listen.
func (d *Daemon) Addresses() (doors, admin string) {
	return d.doors.Addr().String(), d.admin.Addr().String()
}

// AccountLine is the daemon's sums, for people. It is there after Run.
func (d *Daemon) AccountLine() string { return d.lastWords }

// errDrainTimeout is why requests in flight are cut at the end of a drain.
var errDrainTimeout = errors.New("the drain took longer than " + Prefix + "DRAIN_TIMEOUT")

// Run serves until ctx is done, and then stops in the order of the flow:
//
//  1. ingest: no new connection; what was received is appended and
//     acknowledged, and the engines are told to reconnect elsewhere
//  2. the batcher: what the spool holds is sent without waiting for company
//  3. after DrainTimeout, the requests in flight
//  4. the admin listener, so that the drain can be watched to its end
//  5. the spool
//
// It returns nil when everything accepted is settled, also when utterances
// were rejected, or when what is not is safe on the disk.
func (d *Daemon) Run(ctx context.Context) error {
	hard, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	input, closeInput := context.WithCancel(hard)
	defer closeInput()
	flushed := make(chan struct{})

	doors := &http.Server{Handler: d.ingest.Handler(), ReadHeaderTimeout: headerTimeout}
	admin := &http.Server{Handler: d.adminHandler(), ReadHeaderTimeout: headerTimeout}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serve(doors, d.doors) })
	g.Go(func() error { return serve(admin, d.admin) })
	g.Go(func() error { return d.ingest.Run(hard) })
	g.Go(func() error { return d.watchUsage(gctx) })
	g.Go(func() error { return d.keepHistory(hard, d.settings.historyPath()) })
	g.Go(func() error { return d.probe(gctx) })
	g.Go(func() error { return d.letters.sweep(hard) })
	g.Go(func() error { return d.hub.Run(hard) })
	g.Go(func() error {
		defer close(flushed)
		return d.batcher.Run(input, hard)
	})
	g.Go(func() error {
		d.greet(gctx)
		<-gctx.Done() // a signal, or the first failure of the others
		d.draining.Store(true)
		d.log.Info("draining", "pending", d.spool.Account().Pending, "cause", context.Cause(gctx))
		timer := time.AfterFunc(d.settings.DrainTimeout, func() { cut(errDrainTimeout) })
		defer timer.Stop()

		err := errors.Join(d.ingest.Drain(hard), doors.Close())
		closeInput()
		<-flushed
		cut(nil)
		return errors.Join(err, admin.Close())
	})
	err := g.Wait()
	if _, lost := d.spool.(*spool.Memory); errors.Is(err, errDrainTimeout) && !lost {
		d.log.Warn("not everything has reached salesforce: the next start goes on with it", "pending", d.spool.Account().Pending)
		err = nil
	}
	d.lastWords = accountLine(d.spool.Account())
	return errors.Join(err, d.spool.Close())
}

// Close is for a daemon that does not Run.
func (d *Daemon) Close() error { return d.spool.Close() }

// headerTimeout is how long a client may take over the head of its request.
const headerTimeout = 10 * time.Second

// serve is http.Server.Serve for which being closed is no error.
func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// greet says that the daemon is there, and fetches the token before the first
// utterance needs it. An org that refuses is no reason to stop: the spool
// holds what comes in, and /readyz tells.
func (d *Daemon) greet(ctx context.Context) {
	doors, admin := d.Addresses()
	d.log.Info("steno listens", "ingest", doors, "admin", admin, "login_url", d.settings.SFLoginURL)
	if err := d.client.Token(ctx); err != nil && ctx.Err() == nil {
		d.log.Error("salesforce gives no token", "cause", err)
	}
}
