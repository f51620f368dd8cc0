package main

import (
	"context"
	"fmt"
	"time"

	"example.com/steno/bench/workload"
	"example.com/steno/cmd/internal/cli"
)

// door is the daemon that a command speaks to.
type door struct {
	URL   string `help:"The daemon's door." default:"ws://127.0.0.1:8080/v1/ingest"`
	Token string `help:"One of its STENO_INGEST_TOKENS."`
}

type replayCommand struct {
	door
	Files []string `arg:"" name:"file" help:"Recorded calls, .jsonl or .jsonl.gz." type:"existingfile"`
	Speed float64  `help:"So many times faster than life." default:"1"`
	RunID string   `help:"Goes before each call's key. Two replays with one id are one and the same: the second goes on where the daemon's acknowledgements to the first ended. Default: the recordings' own keys."`
}

// Run plays each recorded call once, all at the same time.
func (r replayCommand) Run(ctx context.Context, p cli.Process) error {
	var calls []workload.Call
	for _, file := range r.Files {
		more, err := workload.Open(file)
		if err != nil {
			return err
		}
		calls = append(calls, more...)
	}
	e, err := newEngine(r.URL, r.Token, min(len(calls), 8), stderrLog(p))
	if err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	e.key = func(a workload.Arrival) string { return r.RunID + a.Recorded }
	fmt.Fprintf(p.Stdout, "playing %d calls at once to %s\n", len(calls), r.URL)
	begin := time.Now()
	err = e.run(ctx, workload.Play(calls, workload.PlayOptions{Rounds: 1, Seed: 1, Speed: r.Speed}))
	l := e.ledger
	fmt.Fprintf(p.Stdout, "%d utterances said in %v, %d acknowledged, %d refused, %d seen on the console while connected\n",
		l.utterances, time.Since(begin).Round(time.Second), len(l.ackAfter), len(l.nacks), len(l.onConsole))
	for _, n := range l.nacks {
		fmt.Fprintf(p.Stdout, "refused: call %s, seq %d: %s: %s\n", n.Stream, n.Seq, n.Code, n.Text)
	}
	return err
}
