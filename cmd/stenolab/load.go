package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/steno/bench/workload"
	"example.com/steno/cmd/internal/cli"
)

type loadCommand struct {
	door
	Calls       int           `help:"Calls at once." default:"1000"`
	Connections int           `help:"Connections that carry them." default:"50"`
	Speed       float64       `help:"So many times faster than life." default:"1"`
	Duration    time.Duration `help:"How long." default:"60s"`
	Urgent      int           `help:"Every so many utterances one is urgent; 0: none."`
	Recording   string        `help:"Recorded calls, .jsonl or .jsonl.gz. Default: the real calls beside the checkout where they are, else the project's own." type:"existingfile"`
	Seed        uint64        `help:"Of the phases and the engine's delays." default:"1"`
	JSON        bool          `name:"json" help:"Report as JSON."`
}

// loadReport is what the engines have seen of a load run. Latencies count from
// the time at which an utterance was due, whether or not the daemon was ready
// for it: a slow daemon cannot make its own load lighter.
type loadReport struct {
	Calls       int     `json:"calls"`
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"`
	Said        int     `json:"said"`
	PerSecond   float64 `json:"perSecond"`
	Refused     int     `json:"refused"`
	Resent      uint64  `json:"resent"`
	Ack         latency `json:"ack"`
	Console     latency `json:"console"`
}

// Run plays the load and reports.
func (c loadCommand) Run(ctx context.Context, p cli.Process) error {
	calls, from, err := workload.Default(c.Recording, workload.Find())
	if err != nil {
		return err
	}
	if c.Calls < 1 || c.Connections < 1 {
		return cli.UsageError("--calls and --connections must be at least 1")
	}
	e, err := newEngine(c.URL, c.Token, min(c.Connections, c.Calls), stderrLog(p))
	if err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	run := time.Now().Format("150405")
	e.urgent = c.Urgent
	e.key = func(a workload.Arrival) string { return fmt.Sprintf("load-%s-%06d", run, a.Call) }
	if !c.JSON {
		fmt.Fprintf(p.Stdout, "%d calls at once from %s on %d connections, %v× as fast as life, for %v\n", c.Calls, from, c.Connections, c.Speed, c.Duration)
	}
	begin := time.Now()
	err = e.run(ctx, workload.Play(calls, workload.PlayOptions{
		Concurrent: c.Calls, Seed: c.Seed, Speed: c.Speed, Duration: c.Duration, RandomPhase: true,
	}))
	if err != nil {
		return err
	}
	return c.report(p, e, time.Since(begin))
}

func (c loadCommand) report(p cli.Process, e *engine, took time.Duration) error {
	r := loadReport{
		Calls: c.Calls, Connections: len(e.clients), Seconds: took.Seconds(), Said: e.ledger.utterances,
		PerSecond: float64(e.ledger.utterances) / took.Seconds(), Refused: len(e.ledger.nacks),
		Ack: latencyOf(e.ledger.ackAfter), Console: latencyOf(e.ledger.onConsole),
	}
	for _, client := range e.clients {
		r.Resent += client.Stats().Resent
	}
	if c.JSON {
		return json.NewEncoder(p.Stdout).Encode(r)
	}
	fmt.Fprintf(p.Stdout, "said            %d utterances, %.1f a second; %d refused, %d resent\n", r.Said, r.PerSecond, r.Refused, r.Resent)
	fmt.Fprintf(p.Stdout, "acknowledged    %d: %v after they were due\n", r.Ack.Count, r.Ack)
	fmt.Fprintf(p.Stdout, "on the console  %d: %v after they were due\n", r.Console.Count, r.Console)
	return nil
}
