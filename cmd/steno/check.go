package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient"
)

type checkCommand struct{}

// errCheck ends a check that has printed what is wrong.
var errCheck = errors.New("not everything is as it must be")

// Run prints one line for each thing that the daemon needs, and fails if one of
// them is not as it must be. It creates and sends nothing.
func (checkCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	log, err := quietLog(p, settings)
	if err != nil {
		return err
	}
	r := report{p: p}
	for _, name := range daemon.UnknownVariables(p.Environ) {
		r.add("settings", fmt.Errorf("%s is no setting: mistyped?", name))
	}
	r.add("settings", nil)
	for _, warning := range settings.Warnings() {
		fmt.Fprintf(p.Stdout, "warn  %s\n", warning)
	}
	for _, org := range settings.AllOrgs() {
		if settings.Several() {
			r.of = org.SFOrg + ": "
		}
		client, err := org.NewClient(log)
		if err != nil {
			return err
		}
		r.org(ctx, client, org.Settings)
	}
	r.of = ""
	r.add("ingest address "+settings.Listen, canListen(ctx, settings.Listen))
	r.add("admin address "+settings.AdminListen, canListen(ctx, settings.AdminListen))
	if settings.Clustered() {
		r.add("cluster address "+settings.ClusterListen, canListen(ctx, settings.ClusterListen))
		for what, err := range settings.CheckCluster(ctx) {
			r.add(what, err)
		}
	}
	if settings.SpoolURL == "" && settings.SpoolDir != daemon.InMemory {
		r.add("spool directory "+settings.SpoolDir, errors.Join(settings.LeftBehind(), canWrite(settings.SpoolDir)))
	}
	if r.failed {
		return errCheck
	}
	return nil
}

// report prints what was checked.
type report struct {
	p      cli.Process
	of     string // before each line: whose it is
	failed bool
}

func (r *report) add(what string, err error) {
	if err == nil {
		fmt.Fprintf(r.p.Stdout, "ok    %s%s\n", r.of, what)
		return
	}
	r.failed = true
	fmt.Fprintf(r.p.Stdout, "FAIL  %s%s: %v\n", r.of, what, err)
}

// org looks at what an org must have.
func (r *report) org(ctx context.Context, client *sfclient.Client, s daemon.Settings) {
	err := client.Token(ctx)
	if r.add("token from "+s.SFLoginURL, err); err != nil {
		return
	}
	for _, endpoint := range sfclient.Endpoints() {
		r.add(endpoint, client.Probe(ctx, endpoint))
	}
	r.budget(ctx, client, s)
}

// budget tells what is known of the org's daily API requests. An org that does
// not tell is no fault: there is a setting for that.
func (r *report) budget(ctx context.Context, client *sfclient.Client, s daemon.Settings) {
	switch limit, err := client.FetchLimit(ctx); {
	case err == nil:
		r.add(fmt.Sprintf("daily API requests: %d of %d used", limit.Used, limit.Max), nil)
	case s.APIDailyBudget > 0:
		r.add(fmt.Sprintf("daily API requests: Salesforce does not tell, the setting says %d", s.APIDailyBudget), nil)
	default:
		r.add("daily API requests: Salesforce does not tell; with STENO_API_DAILY_BUDGET they can be made to last", nil)
	}
}

// canWrite writes a file into the directory and removes it again.
func canWrite(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "check-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("steno")
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// canListen opens the address and closes it again.
func canListen(ctx context.Context, address string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}
