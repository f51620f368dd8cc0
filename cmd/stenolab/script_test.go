package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"example.com/steno/cmd/steno/daemon"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stenolab": main, "daemon": runDaemon})
}

// TestScripts plays what people type: testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

// runDaemon is steno serve, for the scripts to measure.
func runDaemon() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serveUntil(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveUntil(ctx context.Context) error {
	settings, err := daemon.ParseSettings(os.Environ())
	if err != nil {
		return err
	}
	d, err := daemon.New(ctx, settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := d.Listen(); err != nil {
		return err
	}
	return d.Run(ctx)
}
