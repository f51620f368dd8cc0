package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/bench/workload"
	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient/orgsim"
)

type demoCommand struct {
	Calls      int               `help:"Calls at once." default:"24"`
	Speed      float64           `help:"So many times faster than life." default:"3"`
	Duration   time.Duration     `help:"How long the calls are played." default:"20s"`
	Recording  string            `help:"Recorded calls, .jsonl or .jsonl.gz. Default: the real calls beside the checkout where they are, else the project's own." type:"existingfile"`
	Listen     string            `help:"Address of the daemon's doors, for engines of your own; default: a free port." default:"127.0.0.1:0"`
	AnswerTime orgsim.AnswerTime `help:"How long the simulated Salesforce takes to answer." default:"100ms±50%"`
	Faults     orgsim.Rates      `help:"Random faults of the simulated Salesforce, as for stenolab org."`
	Urgent     int               `help:"Every so many utterances one is urgent; 0: none." default:"100"`
	Hold       bool              `help:"Play on until Ctrl-C, whatever --duration says, so that one can look at the monitor page."`
	Admin      string            `help:"Address of the daemon's admin listener, which serves the monitor page; default: a free port." default:"127.0.0.1:0"`
	Quiet      bool              `help:"Show no messages, only the account."`
}

// errUnclean ends a demo whose account is not as promised.
var errUnclean = errors.New("the account is not clean")

// Run plays recorded calls through the daemon into a simulated org, and fails
// unless every utterance is there, once, in order, within the limits.
func (d demoCommand) Run(ctx context.Context, p cli.Process) error {
	calls, from, err := workload.Default(d.Recording, workload.Find())
	if err != nil {
		return err
	}
	s, err := d.stage(stderrLog(p))
	if err != nil {
		return err
	}
	span := d.Duration.String()
	if d.Hold {
		d.Duration, span = 0, "as long as nobody presses Ctrl-C"
	}
	fmt.Fprintf(p.Stdout, "%d calls at once from %s, %v× as fast as life, for %s\n", d.Calls, from, d.Speed, span)
	fmt.Fprintf(p.Stdout, "engines → %s → Salesforce, simulated at %s, which answers in %v\n", s.url, s.org.Addr(), d.AnswerTime)
	_, admin := s.daemon.Addresses()
	fmt.Fprintf(p.Stdout, "the monitor: http://%s/\n", admin)
	if err := s.play(ctx, p, d, calls); err != nil {
		return err
	}
	a := s.account()
	a.print(p.Stdout)
	if !a.clean() {
		return errUnclean
	}
	return nil
}

// stage is the org, the daemon and the engines, wired and not yet running.
type stage struct {
	sim    *orgsim.Org
	org    net.Listener
	daemon *daemon.Daemon
	engine *engine
	url    string // of the daemon's door
}

func (d demoCommand) stage(log *slog.Logger) (*stage, error) {
	s := &stage{sim: orgsim.New(orgsim.Config{
		MakeCalls: true, AnswerTime: d.AnswerTime, Faults: d.Faults, Seed: 1, Duplicates: orgsim.StoreTwice, DailyLimit: 5_000_000, LimitInfo: true,
	})}
	var err error
	if s.org, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("open the org: %w", err)
	}
	settings, err := daemon.ParseSettings([]string{
		"STENO_LISTEN=" + d.Listen, "STENO_ADMIN_LISTEN=" + d.Admin, "STENO_SPOOL_DIR=memory", "STENO_MONITOR_TEXT=on",
		"STENO_SF_LOGIN_URL=http://" + s.org.Addr().String(), "STENO_SF_CLIENT_ID=demo", "STENO_SF_CLIENT_SECRET=demo",
		"STENO_SF_CALL_CENTER=DemoCenter", "STENO_SF_CERT=DemoCert",
	})
	if err != nil {
		return nil, err
	}
	if s.daemon, err = daemon.New(context.Background(), settings, log); err != nil {
		return nil, err
	}
	if err := s.daemon.Listen(); err != nil {
		return nil, err
	}
	doors, _ := s.daemon.Addresses()
	s.url = "ws://" + doors + "/v1/ingest"
	s.engine, err = newEngine(s.url, "", max(1, min(d.Calls/4, 50)), log)
	if err != nil {
		return nil, err
	}
	s.engine.urgent = d.Urgent
	s.engine.key = func(a workload.Arrival) string { return fmt.Sprintf("%s-%02d", a.Recorded, a.Call) }
	return s, nil
}

// play runs everything until the calls have been played and the daemon has
// drained: first the engines stop, then the daemon, then the org.
func (s *stage) play(ctx context.Context, p cli.Process, d demoCommand, calls []workload.Call) error {
	events, stop := s.sim.Watch(10_000)
	defer stop()
	screen := newConsole(p, s.progress)
	screen.quiet = d.Quiet
	end := ctx.Done()
	if d.Hold { // then Ctrl-C ends the play, and everything after it in order
		ctx = context.WithoutCancel(ctx)
	}
	g, gctx := errgroup.WithContext(ctx)
	orgCtx, closeOrg := context.WithCancel(context.WithoutCancel(ctx))
	defer closeOrg()
	serveOrg(orgCtx, g, s.sim, s.org)
	g.Go(func() error { return screen.show(orgCtx, events) })

	daemonCtx, drain := context.WithCancel(gctx)
	defer drain()
	g.Go(func() error {
		defer closeOrg()
		return s.daemon.Run(daemonCtx)
	})
	g.Go(func() error {
		defer drain()
		return s.engine.run(daemonCtx, until(end, workload.Play(calls, workload.PlayOptions{
			Concurrent: d.Calls, Seed: 1, Speed: d.Speed, Duration: d.Duration, RandomPhase: true,
		})))
	})
	return g.Wait()
}

// until ends a play when end is closed, with the arrival after that.
func until(end <-chan struct{}, arrivals iter.Seq[workload.Arrival]) iter.Seq[workload.Arrival] {
	return func(yield func(workload.Arrival) bool) {
		for a := range arrivals {
			select {
			case <-end:
				return
			default:
			}
			if !yield(a) {
				return
			}
		}
	}
}

func (s *stage) progress() string {
	l := s.engine.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("said %d, acknowledged %d, on the console %d", l.utterances, len(l.ackAfter), len(l.onConsole))
}
