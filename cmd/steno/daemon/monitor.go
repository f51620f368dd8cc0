package daemon

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/cluster"
	"example.com/steno/cmd/steno/deadletters"
	"example.com/steno/cmd/steno/monitor"
	"example.com/steno/ingest"
	"example.com/steno/sfclient"
)

// watchedSpool tells the monitor of what is made safe.
type watchedSpool struct {
	spool.Spool
	monitor *monitor.Monitor
}

// Append tells of the wait for the spool, which is long when it is full.
func (w watchedSpool) Append(ctx context.Context, group []*spool.Record) error {
	stored := w.monitor.Storing(group)
	err := w.Spool.Append(ctx, group)
	stored(err)
	return err
}

// watchedSender tells the monitor of requests that leave and come back, and
// gives them their trace.
type watchedSender struct {
	batcher.Sender
	monitor *monitor.Monitor
	traces  *traces
}

// Send makes one attempt.
func (w watchedSender) Send(ctx context.Context, r batcher.Request) batcher.Outcome {
	w.monitor.Sending(r)
	o := w.Sender.Send(sfclient.WithTrace(ctx, w.traces.parent(r)), r)
	w.monitor.Answered(r, o)
	return o
}

func (p *pipeline) newMonitor() *monitor.Monitor {
	return monitor.New(monitor.Config{
		Text: p.settings.MonitorText == "on", Org: p.settings.SFOrg, Probe: p.settings.ProbeCall, Metrics: p.set,
		Company: func() time.Duration { return p.batcher.Pace().Wait },
	})
}

// watch is what ingest tells: the monitor, and the traces.
func (p *pipeline) watch() ingest.Watch {
	w := p.monitor.Watch()
	opened, released := w.Opened, w.Released
	w.Opened = func(o ingest.Opened) { p.traces.opened(o); opened(o) }
	w.Released = func(id spool.StreamID, ended bool) { p.traces.released(id, time.Now()); released(id, ended) }
	return w
}

// lookTime bounds the look at the token for the page, which is made every
// second: a login that hangs must not stop the page.
const lookTime = 200 * time.Millisecond

// shown is what the page gets of an org every second.
type shown struct {
	Status
	OrgNames []string `json:"orgNames,omitempty"` // where there are several
	Failed   string   `json:"failed,omitempty"`   // why there is nothing to show
	Idle     bool     `json:"idle,omitempty"`     // in a cluster: there is nothing, as this daemon owns no partition

	Cluster *cluster.Status `json:"cluster,omitempty"` // as this daemon sees it
}

func (d *Daemon) nowEvent(ctx context.Context, org string) []byte {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var s shown
	switch {
	case d.membership != nil:
		s.Cluster = new(d.membership.cluster.Status())
		for _, w := range d.working() {
			s.OrgNames = append(s.OrgNames, w.name)
		}
	case d.settings.Several():
		for _, m := range d.roster.all() {
			s.OrgNames = append(s.OrgNames, m.SFOrg)
		}
	}
	switch p := d.pipelineOf(org); {
	case p != nil:
		s.Status = p.status(ctx)
	case d.membership != nil && len(s.OrgNames) == 0:
		s.Org, s.Idle = org, true
	case d.membership != nil:
		s.Org, s.Failed = org, "this daemon does not work on that partition: another one may"
	default:
		s.Org, s.Failed = org, "nothing works for the org: see /readyz"
	}
	return d.event(s)
}

func (d *Daemon) hourEvent(_ context.Context, org string) []byte {
	m := d.monitorOf(org)
	if m == nil {
		return d.event(nil)
	}
	return d.event(m.Hour(time.Now()))
}

// monitorOf is the monitor of an org, nil if nothing works for it.
func (d *Daemon) monitorOf(org string) *monitor.Monitor {
	if p := d.pipelineOf(org); p != nil {
		return p.monitor
	}
	return nil
}

// event is a value on one line of JSON.
func (d *Daemon) event(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		d.log.Error("BUG: the monitor cannot be shown", "error", err)
		return []byte("null")
	}
	return b
}

// ownPage keeps out the pages of others: a browser on a machine that reaches the
// admin address would ask on behalf of whatever page somebody looks at.
func (d *Daemon) ownPage(r *http.Request) error {
	return deadletters.OwnPage(r, append(slices.Clone(d.settings.MonitorHosts), d.adminName())...)
}
