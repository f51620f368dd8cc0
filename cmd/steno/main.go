// Command steno takes utterances from speech engines over WebSockets and puts
// them on the agent's console in Salesforce Service Cloud Voice.
//
//	steno [serve]                                 the daemon
//	steno check                                   are the settings, the org and this machine fit for it
//	steno call create|update|route|clear-routing  Salesforce's call endpoints by hand
//	steno transcript send|bulk                    Salesforce's transcript endpoints by hand
//	steno deadletters list|show|retry|export|drop what was rejected
//	steno spool status|verify                     what waits on the disk
//	steno cluster status                          who is in the cluster, and works on what
//	steno version
//
// Settings come from the environment: steno --help lists them. SIGHUP reads the
// orgs file again, where there is one. Exit codes: 0
// done, 1 failed, 2 wrong usage or settings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"example.com/steno/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(program().Run(ctx, cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
