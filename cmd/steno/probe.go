package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
)

type probeCommand struct {
	orgFlag
	Call    string        `help:"The test call's vendorCallKey, which Salesforce must know. Default: STENO_PROBE_CALL."`
	Timeout time.Duration `help:"How long it may take." default:"30s"`
}

// Run sends one marked utterance through the running daemon to Salesforce and
// prints how long that took.
func (c probeCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	org, err := settings.OrgNamed(c.Org)
	if err != nil {
		return err
	}
	org.ProbeCall = cmp.Or(c.Call, org.ProbeCall)
	if org.ProbeCall == "" {
		return cli.UsageError("name the test call: --call, or STENO_PROBE_CALL")
	}
	probe, err := org.NewProbe(settings.Listen)
	if err != nil {
		return err
	}
	return probe.Run(ctx, func(ctx context.Context) error {
		took, err := probe.Send(ctx, c.Timeout)
		if err == nil {
			fmt.Fprintf(p.Stdout, "delivered after %d ms\n", took.Milliseconds())
		}
		return err
	})
}
