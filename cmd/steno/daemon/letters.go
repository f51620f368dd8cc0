package daemon

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/deadletters"
)

// letters are a pipeline's dead letters: served to operators, and swept.
type letters struct {
	*deadletters.Local
	p                  *pipeline
	retried, aged      *metrics.Counter
	outgrown, byPeople *metrics.Counter
}

func newLetters(p *pipeline) letters {
	dropped := func(why string) *metrics.Counter {
		return p.set.NewCounter(fmt.Sprintf("steno_deadletters_dropped_total{why=%q}", why))
	}
	l := letters{
		p: p, retried: p.set.NewCounter("steno_deadletters_retried_total"),
		aged: dropped("age"), outgrown: dropped("size"), byPeople: dropped("operator"),
	}
	l.Local = &deadletters.Local{Spool: p.spool.DeadLetters(), Changed: l.changed}
	return l
}

// changed counts what operators do. It is logged too: text may be gone for good.
func (l letters) changed(act deadletters.Act, n int) {
	if act == deadletters.Retry {
		l.retried.Add(n)
		l.p.log.Info("dead letters retried", "letters", n)
		return
	}
	l.byPeople.Add(n)
	l.p.log.Info("dead letters dropped by an operator", "letters", n)
}

// Change refuses a retry when nobody is left to send it.
func (l letters) Change(ctx context.Context, act deadletters.Act, s deadletters.Selection) (int, error) {
	if act == deadletters.Retry && l.p.draining.Load() {
		return 0, deadletters.ErrDraining
	}
	return l.Local.Change(ctx, act, s)
}

// letters are the dead letters of all orgs, of the moment.
func (d *Daemon) letters() deadletters.Letters {
	if !d.settings.many() {
		return d.pipelineOf("").letters
	}
	return deadletters.Orgs(func() (all []deadletters.Org) {
		for _, w := range d.working() {
			all = append(all, deadletters.Org{Name: w.name, Letters: w.letters})
		}
		return all
	})
}

// sweepEvery is how long the letters may be beyond their limits.
const sweepEvery = 10 * time.Second

// sweep keeps the letters within their limits until ctx is done.
func (l letters) sweep(ctx context.Context) error {
	keep := spool.Retention{MaxAge: l.p.settings.DeadLettersMaxAge, MaxBytes: uint64(l.p.settings.DeadLettersMaxBytes)}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		swept, err := spool.Sweep(ctx, l.Spool, time.Now(), keep)
		l.aged.Add(swept.Age)
		l.outgrown.Add(swept.Size)
		if swept != (spool.Swept{}) {
			l.p.log.Warn("dead letters dropped", "too_old", swept.Age, "too_many", swept.Size, "left", l.Spool.Kept().Letters)
		}
		if err != nil && ctx.Err() == nil {
			l.p.log.Warn("dead letters cannot be kept within their limits", "error", err)
		}
	}
}

// writeLetters writes what dead letters come to.
func writeLetters(w io.Writer, k spool.Kept) {
	metrics.WriteGaugeUint64(w, "steno_deadletters", k.Letters)
	metrics.WriteGaugeUint64(w, "steno_deadletters_bytes", k.Bytes)
}
