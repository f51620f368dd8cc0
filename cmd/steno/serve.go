package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/steno/cmd/steno/daemon"
)

type serveCommand struct{}

// Run runs the daemon until ctx is done. Its last words are the account.
func (serveCommand) Run(ctx context.Context, p process) error {
	settings, err := daemon.ParseSettings(p.environ)
	if err != nil {
		return err
	}
	log, err := settings.NewLog(p.stderr)
	if err != nil {
		return err
	}
	for _, name := range daemon.UnknownVariables(p.environ) {
		log.Warn("no such setting", "variable", name)
	}
	d, err := daemon.New(settings, log)
	if err != nil {
		return err
	}
	if err := d.Listen(); err != nil {
		return err
	}
	err = d.Run(ctx)
	_, printed := fmt.Fprintln(p.stdout, d.AccountLine())
	return errors.Join(err, printed)
}
