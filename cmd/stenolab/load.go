package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"example.com/steno/bench/load"
	"example.com/steno/bench/workload"
	"example.com/steno/cmd/internal/cli"
)

type loadCommand struct {
	door
	load.Shape
	load.Answer
	Connections int           `help:"Connections that carry the calls." default:"50"`
	Recording   string        `help:"Recorded calls, .jsonl or .jsonl.gz. Default: the real calls beside the checkout where they are, else the project's own." type:"existingfile"`
	Sink        string        `help:"Be the Salesforce at this address, such as 127.0.0.1:8090, and measure what arrives. With a command the default is a free port."`
	PID         int           `name:"pid" help:"Process whose CPU time and memory are measured, where it was not started by a command."`
	Admin       string        `help:"Its admin address, for what its Go runtime says." default:""`
	Idle        time.Duration `help:"How long all calls are open before the first word, for their memory." default:"1s"`
	Settle      time.Duration `help:"How long to wait for what is under way, while nothing arrives." default:"15s"`
	JSON        bool          `name:"json" help:"Report as JSON."`
	Pictures    string        `help:"Directory for pictures of the latency: over-time.svg and distribution.svg." type:"existingdir"`
	Dir         string        `help:"Where the command's spool is made, and removed afterwards. Default: the directory for temporary files." type:"existingdir"`

	Command []string `arg:"" optional:"" passthrough:"" help:"Program to start, measure and stop, after --: steno serve. It finds the addresses of its door and of Salesforce in STENO_… variables."`
}

// errNotKept ends a load that shows a broken promise.
var errNotKept = errors.New("the load shows losses, duplicates, disorder or refusals")

// Run plays the load and reports.
func (c loadCommand) Run(ctx context.Context, p cli.Process) error {
	calls, from, err := workload.Default(c.Recording, workload.Find())
	if err != nil {
		return err
	}
	cfg := load.Config{
		URL: c.URL, Token: c.Token, Connections: c.Connections, Shape: c.Shape, Recording: calls,
		Key: fmt.Sprintf("load-%s-", time.Now().Format("150405.000")), Idle: c.Idle, Settle: c.Settle,
	}
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	if len(c.Command) > 0 && c.Command[0] == "--" {
		c.Command = c.Command[1:]
	}
	if c.Sink == "" && len(c.Command) > 0 {
		c.Sink = "127.0.0.1:0"
	}
	if c.Sink != "" {
		if cfg.Sink, err = load.OpenSink(c.Sink, cfg.Key, c.Answer); err != nil {
			return err
		}
		defer cfg.Sink.Close()
	}
	if c.PID != 0 {
		cfg.Process = load.Attach(c.PID, c.Admin)
	}
	if !c.JSON {
		fmt.Fprintf(p.Stdout, "words from %s\n", from)
	}
	if len(c.Command) == 0 {
		return c.measure(ctx, p, cfg)
	}
	return c.withCommand(ctx, p, cfg)
}

// withCommand is measure with a program of its own.
func (c loadCommand) withCommand(ctx context.Context, p cli.Process, cfg load.Config) (err error) {
	dir, err := os.MkdirTemp(c.Dir, "stenolab-load-")
	if err != nil {
		return fmt.Errorf("make a place for the spool: %w", err)
	}
	defer os.RemoveAll(dir)
	door, err := freeAddress()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	// What the caller has set comes later and wins, but for the addresses.
	environ := append([]string{
		"STENO_SPOOL_DIR=" + filepath.Join(dir, "spool"), "STENO_SF_CLIENT_ID=load", "STENO_SF_CLIENT_SECRET=load",
		"STENO_SF_CALL_CENTER=LoadCenter", "STENO_SF_CERT=LoadCert", "STENO_LOG_LEVEL=warn",
	}, p.Environ...)
	environ = append(environ, "STENO_LISTEN="+door, "STENO_ADMIN_LISTEN="+admin, "STENO_SF_LOGIN_URL="+cfg.Sink.URL())
	cfg.URL = (&url.URL{Scheme: "ws", Host: door, Path: "/v1/ingest"}).String()
	program := exec.Command(c.Command[0], c.Command[1:]...)
	program.Env, program.Stdout, program.Stderr = environ, p.Stderr, p.Stderr
	if cfg.Process, err = load.Start(ctx, program, door, admin); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cfg.Process.Stop()) }()
	return c.measure(ctx, p, cfg)
}

// freeAddress is one that nothing listens on at this moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("look for a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// measure plays the load and shows what came of it.
func (c loadCommand) measure(ctx context.Context, p cli.Process, cfg load.Config) error {
	r, err := load.Play(ctx, cfg)
	if err != nil {
		return err
	}
	write := r.WriteTable
	if c.JSON {
		write = r.WriteJSON
	}
	if err := write(p.Stdout); err != nil {
		return err
	}
	if c.Pictures != "" && cfg.Sink != nil {
		if err := errors.Join(
			draw(filepath.Join(c.Pictures, "over-time.svg"), r.WriteOverTime),
			draw(filepath.Join(c.Pictures, "distribution.svg"), r.WriteDistribution),
		); err != nil {
			return err
		}
	}
	if !r.Clean() {
		return errNotKept
	}
	return nil
}

func draw(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("draw the latency: %w", err)
	}
	return errors.Join(write(f), f.Close())
}
