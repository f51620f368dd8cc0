// Package daemon wires Steno's flow and stops it in the order of the flow. It
// is a package of its own, beside cmd/steno, so that stenolab can run the very
// daemon that people run.
//
//	[ engines → ingest → spool → batcher → sfclient → Salesforce ]
//
// What works on an org is a pipeline. The Daemon has the listeners, the pages
// of the admin listener and the set of pipelines.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"example.com/steno/cmd/steno/monitor"
)

// Daemon is one Steno, from Listen to the end of Run.
type Daemon struct {
	settings   Settings
	log        *slog.Logger
	outfit     func(*pipelineConfig) // what every pipeline gets beside its settings; nil: nothing
	roster     roster
	pipelines  pipelines
	membership *membership  // of a cluster; nil: the daemon is alone
	set        *metrics.Set // the daemon's own
	reloads    reloads
	doors      net.Listener // of the engines
	admin      net.Listener
	hub        *monitor.Hub

	lastWords string // the account at the end of Run
}

// New opens the spools and wires a daemon. Nothing else runs and nothing listens
// yet. Whoever does not go on to Run must Close. Of several orgs, one that
// cannot be started keeps the others from nothing.
func New(ctx context.Context, s Settings, log *slog.Logger) (*Daemon, error) {
	d := newDaemon(s, log)
	if err := d.addAll(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

func newDaemon(s Settings, log *slog.Logger) *Daemon {
	d := &Daemon{settings: s, log: log, set: metrics.NewSet()}
	d.hub = monitor.NewHub(d.nowEvent, d.hourEvent)
	d.reloads = newReloads(d)
	return d
}

// addAll adds the orgs of the settings, and fails where none can be started.
func (d *Daemon) addAll(ctx context.Context) error {
	if err := d.settings.LeftBehind(); err != nil {
		return err
	}
	for _, warning := range d.settings.Warnings() {
		d.log.Warn(warning)
	}
	if d.settings.Clustered() {
		return d.join(ctx)
	}
	var faults []error
	for _, o := range d.settings.AllOrgs() {
		faults = append(faults, d.addOrg(ctx, o))
	}
	if len(d.pipelines.all()) == 0 {
		return errors.Join(faults...)
	}
	return nil
}

// addOrg makes the pipeline of an org and puts it into the set, and the org on
// the roster, also where nothing can work for it.
func (d *Daemon) addOrg(ctx context.Context, o Org) error {
	p, err := newPipeline(ctx, d.outfitOf(o.Settings))
	if err == nil {
		err = d.pipelines.add(o.SFOrg, p)
	}
	if err != nil && d.settings.Several() {
		err = fmt.Errorf("org %q: %w", o.SFOrg, err)
		d.log.Error("nothing works for an org", "org", o.SFOrg, "cause", err)
	}
	d.roster.put(newMember(o, err))
	return err
}

// outfitOf is what the pipeline of an org gets.
func (d *Daemon) outfitOf(s Settings) pipelineConfig {
	cfg := pipelineConfig{settings: s, log: d.log, partitions: 1, doors: func() string { return d.doors.Addr().String() }}
	if s.Several() {
		cfg.name, cfg.log = s.SFOrg, d.log.With("org", s.SFOrg)
	}
	if d.outfit != nil {
		d.outfit(&cfg)
	}
	return cfg
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
	if d.membership == nil {
		return nil
	}
	if err := d.membership.listen(); err != nil {
		return errors.Join(err, doors.Close(), admin.Close())
	}
	return nil
}

// Addresses are where the daemon listens, after Listen.
func (d *Daemon) Addresses() (doors, admin string) {
	return d.doors.Addr().String(), d.admin.Addr().String()
}

// AccountLine is the daemon's sums, for people. It is there after Run.
func (d *Daemon) AccountLine() string { return d.lastWords }

// Run serves until ctx is done, and then stops:
//
//  1. each pipeline in the order of its flow, all at the same time; when the
//     doors of all have drained, nobody can connect any more. In a cluster its
//     partition is handed over then, and the daemon leaves
//  2. the admin listener, so that the drain can be watched to its end
//
// It returns nil when everything accepted is settled, also when utterances
// were rejected, or when what is not is safe on the disk.
func (d *Daemon) Run(ctx context.Context) error {
	hard, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	doors := &http.Server{Handler: http.HandlerFunc(d.serveDoors), ReadHeaderTimeout: headerTimeout}
	admin := &http.Server{Handler: d.adminHandler(), ReadHeaderTimeout: headerTimeout}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serve(doors, d.doors) })
	g.Go(func() error { return serve(admin, d.admin) })
	g.Go(func() error { return d.hub.Run(hard) })
	d.pipelines.open(&ground{ctx: gctx, hard: hard, group: g, alone: !d.settings.Several()})
	left := make(chan struct{})
	g.Go(func() error {
		defer close(left)
		return d.membership.run(gctx, hard)
	})
	g.Go(func() error { return d.reloadWhenAsked(gctx) })
	d.log.Info("steno listens", "ingest", d.doors.Addr().String(), "admin", d.admin.Addr().String())
	g.Go(func() error {
		<-gctx.Done() // a signal, or the first failure of the others
		for _, w := range d.pipelines.all() {
			<-w.shut
		}
		<-left
		err := doors.Close()
		for _, w := range d.pipelines.all() {
			<-w.ended
		}
		end()
		return errors.Join(err, admin.Close())
	})
	err := g.Wait()
	d.lastWords = d.accountLine()
	d.membership.close()
	return err
}

// Close is for a daemon that does not Run.
func (d *Daemon) Close() error {
	defer d.membership.close()
	return d.pipelines.close()
}

// headerTimeout is how long a client may take over the head of its request.
const headerTimeout = 10 * time.Second

// serve is http.Server.Serve for which being closed is no error.
func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
