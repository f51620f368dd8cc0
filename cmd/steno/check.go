package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient"
)

type checkCommand struct{}

// errCheck ends a check that has printed what is wrong.
var errCheck = errors.New("not everything is as it must be")

// Run prints one line for each thing that the daemon needs, and fails if one of
// them is not as it must be. It creates and sends nothing.
func (checkCommand) Run(ctx context.Context, p process) error {
	settings, err := daemon.ParseSettings(p.environ)
	if err != nil {
		return err
	}
	r := report{p: p}
	for _, name := range daemon.UnknownVariables(p.environ) {
		r.add("settings", fmt.Errorf("%s is no setting: mistyped?", name))
	}
	r.add("settings", nil)
	client, err := p.client()
	if err != nil {
		return err
	}
	err = client.Token(ctx)
	r.add("token from "+settings.SFLoginURL, err)
	if err == nil {
		for _, endpoint := range sfclient.Endpoints() {
			r.add(endpoint, client.Probe(ctx, endpoint))
		}
	}
	r.add("ingest address "+settings.Listen, canListen(ctx, settings.Listen))
	r.add("admin address "+settings.AdminListen, canListen(ctx, settings.AdminListen))
	fmt.Fprintln(p.stdout, "-     disk: this version keeps the spool in memory")
	if r.failed {
		return errCheck
	}
	return nil
}

// report prints what was checked.
type report struct {
	p      process
	failed bool
}

func (r *report) add(what string, err error) {
	if err == nil {
		fmt.Fprintf(r.p.stdout, "ok    %s\n", what)
		return
	}
	r.failed = true
	fmt.Fprintf(r.p.stdout, "FAIL  %s: %v\n", what, err)
}

// canListen opens the address and closes it again.
func canListen(ctx context.Context, address string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}
