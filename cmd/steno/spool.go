package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
)

type spoolCommands struct {
	Status spoolStatusCommand `cmd:"" help:"What waits: of the running daemon, else of the directory that a stopped one has left."`
	Verify spoolVerifyCommand `cmd:"" help:"Read a stopped daemon's directory to its end and name every damage."`
}

type spoolStatusCommand struct{}

// Run asks the daemon at the admin address, or where none answers, the
// directory; of several orgs, of each.
func (spoolStatusCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	if t, err := askDaemon(ctx, settings.AdminListen); err == nil {
		all := t.each()
		for _, status := range all {
			printSpool(p, from(status.Org, "the daemon at "+settings.AdminListen), status.Account, status.Spool)
		}
		if len(all) == 0 {
			fmt.Fprintf(p.Stdout, "the daemon at %s works on nothing at the moment\n", settings.AdminListen)
		}
		return nil
	}
	return eachSpool(p, settings, func(org daemon.Settings, name string) error {
		account, spool, err := inspect(ctx, p, org)
		if err != nil {
			return err
		}
		printSpool(p, from(name, "the directory "+org.SpoolDir+", no daemon answers at "+settings.AdminListen), account, spool)
		return nil
	})
}

// eachSpool calls do for the spool of each org; name is empty where there is but
// one. The trouble of one hides none of the others.
func eachSpool(p cli.Process, s daemon.Settings, do func(org daemon.Settings, name string) error) error {
	if s.Clustered() {
		return daemon.ErrClustered
	}
	if !s.Several() {
		return do(s, "")
	}
	var all []error
	for _, o := range s.AllOrgs() {
		if err := do(o.Settings, o.SFOrg); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(p.Stdout, "from        org %s: there is no spool in %s\n", o.SFOrg, o.SpoolDir)
		} else if err != nil {
			all = append(all, fmt.Errorf("org %s: %w", o.SFOrg, err))
		}
	}
	return errors.Join(all...)
}

// from says where something is from, and of which of several orgs.
func from(org, where string) string {
	if org == "" {
		return where
	}
	return "org " + org + ", " + where
}

type spoolVerifyCommand struct{}

// errDamaged ends a verification that has printed what is damaged.
var errDamaged = errors.New("the spool is damaged")

// Run reads every frame and checks every record's checksum.
func (spoolVerifyCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	return eachSpool(p, settings, func(org daemon.Settings, name string) error {
		account, spool, err := inspect(ctx, p, org)
		if err != nil {
			return err
		}
		printSpool(p, from(name, "the directory "+org.SpoolDir), account, spool)
		if len(spool.Damage) > 0 {
			return errDamaged
		}
		fmt.Fprintln(p.Stdout, "every frame is whole")
		return nil
	})
}

// errorsOnly is the log of commands that open a spool: the rest is noise there.
func errorsOnly(p cli.Process) *slog.Logger {
	return slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

func inspect(ctx context.Context, p cli.Process, s daemon.Settings) (daemon.AccountShown, *daemon.SpoolShown, error) {
	return daemon.InspectSpool(ctx, s, errorsOnly(p))
}

func printSpool(p cli.Process, from string, a daemon.AccountShown, s *daemon.SpoolShown) {
	fmt.Fprintf(p.Stdout, "from        %s\n", from)
	fmt.Fprintf(p.Stdout, "waiting     %d utterances, the oldest for %v\n", a.Pending, time.Duration(a.OldestPendingSeconds*float64(time.Second)).Round(time.Second))
	if s == nil {
		fmt.Fprintln(p.Stdout, "on disk     nothing: the spool is in memory")
		return
	}
	fmt.Fprintf(p.Stdout, "on disk     %d of at most %d bytes, in %d frames\n", s.DiskBytes, s.MaxBytes, s.Frames)
	fmt.Fprintf(p.Stdout, "recovered   %d utterances found waiting at the start\n", s.Recovered)
	fmt.Fprintf(p.Stdout, "dead        %d rejected utterances kept, in %d bytes: steno deadletters list\n", s.DeadLetters, s.DeadLetterBytes)
	for _, d := range s.Damage {
		fmt.Fprintf(p.Stdout, "DAMAGED     %s\n", d)
	}
}
