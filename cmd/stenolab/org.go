package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/sfclient/orgsim"
)

type orgCommand struct {
	Listen       string                 `help:"Where Salesforce is simulated. Its views are under /orgsim/: ledger, feed, plan, down, up, expire-tokens, calls/KEY/ACTION." default:"127.0.0.1:8090"`
	ClientID     string                 `help:"The connected app's consumer key; default: any."`
	ClientSecret string                 `help:"The connected app's consumer secret; default: any."`
	KnownCalls   bool                   `help:"Know only calls that createVoiceCall has made; default: a call is made on first sight."`
	AnswerTime   orgsim.AnswerTime      `help:"How long answers take." default:"100ms±50%"`
	Faults       orgsim.Rates           `help:"Random faults, as kind=share[:argument],…: 500=0.01,cut-after=0.005,slow=0.1:2s,429=0.02:30s,207-exhausted=0.05:1."`
	Seed         uint64                 `help:"Of the random faults and answer times." default:"1"`
	Duplicates   orgsim.DuplicatePolicy `help:"What a repeated messageId does: ignore, refuse or store-twice." default:"ignore"`
	Refusal      orgsim.RefusalStyle    `help:"How a broken rule is told: per-entry, envelope-200 or envelope-400." default:"per-entry"`
	DailyLimit   int                    `help:"API requests a rolling day, as of a full sandbox; 0: unlimited." default:"5000000"`
	RateLimit    int                    `help:"Transcript requests a rolling 30 s, else 429; 0: unlimited."`
	LimitInfo    bool                   `help:"Send Sforce-Limit-Info." default:"true" negatable:""`
	Quiet        bool                   `help:"Show no messages."`
}

// Run serves the simulated org until ctx is done, and shows what its agents
// see.
func (o orgCommand) Run(ctx context.Context, p cli.Process) error {
	org := orgsim.New(orgsim.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, MakeCalls: !o.KnownCalls, AnswerTime: o.AnswerTime,
		Faults: o.Faults, Seed: o.Seed, Duplicates: o.Duplicates, Refusal: o.Refusal,
		DailyLimit: o.DailyLimit, RateLimit: o.RateLimit, LimitInfo: o.LimitInfo && o.DailyLimit > 0,
	})
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("open the org: %w", err)
	}
	fmt.Fprintf(p.Stdout, "Salesforce is simulated at http://%s\n", l.Addr())
	g, ctx := errgroup.WithContext(ctx)
	serveOrg(ctx, g, org, l)
	if !o.Quiet {
		events, stop := org.Watch(10_000)
		defer stop()
		g.Go(func() error { return newConsole(p, nil).show(ctx, events) })
	}
	err = g.Wait()
	total := org.Ledger().Totals
	fmt.Fprintf(p.Stdout, "%d messages stored, %d repeated, %d refused, %d dropped, in %d API requests\n",
		total.Stored, total.Repeats, sum(total.Refused), sum(total.Dropped), total.APIRequests)
	return err
}

// serveOrg serves an org until ctx is done.
func serveOrg(ctx context.Context, g *errgroup.Group, org *orgsim.Org, l net.Listener) {
	server := &http.Server{Handler: org, ReadHeaderTimeout: 10 * time.Second}
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the org: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
}

func sum(counts map[string]uint64) (total uint64) {
	for _, n := range counts {
		total += n
	}
	return total
}
