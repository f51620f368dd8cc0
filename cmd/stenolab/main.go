// Command stenolab is what one needs to try Steno: a simulated Salesforce,
// engines that play recorded calls, and both with the daemon in one process.
//
//	stenolab demo         the whole thing, in under a minute
//	stenolab org          the simulated Salesforce alone
//	stenolab replay FILE… recorded calls to a running daemon
//	stenolab load         open-loop load on a running daemon
//
// It is no part of the daemon's binary. Exit codes: 0 done, 1 failed, 2 wrong
// usage.
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

// commands is the command line.
type commands struct {
	Demo   demoCommand   `cmd:"" help:"Run a simulated Salesforce, the daemon and recorded calls in one process; fail unless every utterance arrives once and in order."`
	Org    orgCommand    `cmd:"" help:"Run the simulated Salesforce alone."`
	Replay replayCommand `cmd:"" help:"Play recorded calls to a running daemon."`
	Load   loadCommand   `cmd:"" help:"Put open-loop load on a running daemon and report what it does with it."`
}

func program() cli.Program {
	return cli.Program{
		Name:        "stenolab",
		Description: "Tries Steno without Salesforce and without a speech engine.",
		Commands:    &commands{},
	}
}
