package daemon

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// reloads counts what became of reading the orgs file again.
type reloads struct {
	asked           chan struct{} // size 1: a request during a reload is not lost; nil: never asked
	applied, faulty *metrics.Counter
	last            *metrics.Gauge // when the last one was applied, in seconds since the epoch
}

// newReloads registers the metrics of several orgs; for one there are none.
func newReloads(d *Daemon) reloads {
	if !d.settings.Several() {
		return reloads{}
	}
	d.set.NewGauge("steno_orgs_failed", func() float64 {
		failed := 0
		for _, m := range d.roster.all() {
			if d.failed(m) != nil {
				failed++
			}
		}
		return float64(failed)
	})
	r := reloads{
		asked:   make(chan struct{}, 1),
		applied: d.set.NewCounter(`steno_orgs_reloads_total{outcome="applied"}`),
		faulty:  d.set.NewCounter(`steno_orgs_reloads_total{outcome="faulty"}`),
		last:    d.set.NewGauge("steno_orgs_reloaded_timestamp_seconds", nil),
	}
	r.last.Set(float64(time.Now().Unix()))
	return r
}

// failed is why nothing works for an org; nil: something does, or it is just
// being replaced.
func (d *Daemon) failed(m member) error {
	w := d.pipelines.find(m.SFOrg)
	if w == nil {
		return m.failed // in a cluster no pipeline has this name
	}
	select {
	case <-w.ended:
		return w.err
	default:
		return nil
	}
}

// Reload asks a running daemon to read the orgs file anew, and does not wait
// for it. Where there is no file, nothing happens.
func (d *Daemon) Reload() {
	select {
	case d.reloads.asked <- struct{}{}:
	default: // it is asked already
	}
}

// reloadWhenAsked reads the orgs file anew until ctx is done.
func (d *Daemon) reloadWhenAsked(ctx context.Context) error {
	for {
		select {
		case <-d.reloads.asked:
			d.reload(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// reload reads the orgs file anew and puts it in force:
//
//	R1  a faulty file changes nothing, nor does one that the cluster does not take
//	R2  an org whose settings are as before goes on untouched, except that one
//	    which had failed is tried again
//	R3  any other is stopped in the order of its flow, if it was there, and
//	    started with the new settings, if it still is; each on its own, so that
//	    nobody waits for another's drain
//	R4  the settings of an org are in force when it has been started; until then
//	    the old tokens hold
func (d *Daemon) reload(ctx context.Context) {
	begun := time.Now()
	orgs, faults := d.settings.readOrgs()
	if len(faults) == 0 {
		if err := d.membership.agrees(ctx, orgs); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		d.reloads.faulty.Inc()
		d.log.Error("the orgs file is faulty: nothing is changed", "cause", errors.Join(faults...))
		return
	}
	wanted := map[string]*Org{}
	for i := range orgs {
		wanted[orgs[i].SFOrg] = &orgs[i]
	}
	var changing sync.WaitGroup
	untouched := 0
	for _, m := range d.roster.all() {
		o := wanted[m.SFOrg]
		delete(wanted, m.SFOrg)
		if o != nil && d.failed(m) == nil && reflect.DeepEqual(o.Settings, m.Settings) { // R2
			untouched++
			continue
		}
		changing.Go(func() { d.replace(ctx, m.SFOrg, o) })
	}
	for name, o := range wanted {
		changing.Go(func() { d.replace(ctx, name, o) })
	}
	changing.Wait()
	d.roster.arrange(orgs)
	d.membership.announce(orgs)
	d.reloads.applied.Inc()
	d.reloads.last.Set(float64(time.Now().Unix()))
	for _, warning := range d.settings.warnings(orgs) {
		d.log.Warn(warning)
	}
	d.log.Info("the orgs file is in force", "orgs", len(orgs), "untouched", untouched, "took", time.Since(begun).Round(time.Millisecond))
}

// replace stops what works for an org, and starts o in its place; nil: nothing.
func (d *Daemon) replace(ctx context.Context, name string, o *Org) {
	if d.membership != nil {
		d.membership.replace(ctx, name, o)
		return
	}
	if w := d.pipelines.find(name); w != nil {
		if err := d.pipelines.remove(name); err != nil {
			d.log.Warn("an org did not end well", "org", name, "error", err)
		}
		d.log.Info("an org has stopped", "org", name, "left_in_its_spool", w.spool.Account().Pending, "account", accountLine(w.spool.Account()))
	}
	if o == nil {
		d.roster.drop(name)
		return
	}
	if ctx.Err() == nil && d.addOrg(ctx, *o) == nil {
		d.log.Info("an org has started", "org", name)
	}
}
