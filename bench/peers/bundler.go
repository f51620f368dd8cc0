package main

import (
	"context"

	"google.golang.org/api/support/bundler"
)

// google is Google's client libraries' bundler. It counts messages, not calls:
// only bundles of 5 cannot break the limit of 5 calls. Handlers run at once, so
// the order within a call is nobody's business.
type google struct {
	bundler *bundler.Bundler
	errs    errorCount
}

func newBundler(o *org, k knobs) *google {
	g := &google{}
	g.bundler = bundler.NewBundler(message{}, func(all any) {
		g.errs.note(o.bulk(context.Background(), all.([]message)))
	})
	g.bundler.BundleCountThreshold = 5
	g.bundler.DelayThreshold = k.wait
	g.bundler.HandlerLimit = k.flight
	return g
}

func (g *google) add(ctx context.Context, m message) error {
	return g.bundler.AddWait(ctx, m, len(m.body))
}

func (g *google) close(context.Context) error {
	g.bundler.Flush()
	return g.errs.err()
}
