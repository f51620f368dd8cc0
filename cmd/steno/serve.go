package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
)

type serveCommand struct{}

// Run runs the daemon until ctx is done. Its last words are the account.
func (serveCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	log, err := settings.NewLog(p.Stderr)
	if err != nil {
		return err
	}
	for _, name := range daemon.UnknownVariables(p.Environ) {
		log.Warn("no such setting", "variable", name)
	}
	defer keepThrift(p.Environ)()
	defer spareProcessor(p.Environ, settings)()
	d, err := daemon.New(ctx, settings, log)
	if err != nil {
		return err
	}
	if err := d.Listen(); err != nil {
		return errors.Join(err, d.Close())
	}
	if settings.Several() {
		stop := reloadOnHangup(d)
		defer stop()
	}
	err = d.Run(ctx)
	_, printed := fmt.Fprintln(p.Stdout, d.AccountLine())
	return errors.Join(err, printed)
}

// reloadOnHangup lets SIGHUP read the orgs file anew, until stop is called.
func reloadOnHangup(d *daemon.Daemon) (stop func()) {
	hangups, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for range hangups {
			d.Reload()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-ended
	}
}
