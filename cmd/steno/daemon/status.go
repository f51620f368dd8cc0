package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/steno/cluster"
	"example.com/steno/cmd/steno/monitor"
)

// Status is a daemon, or a pipeline of it, at one moment, as /status.json shows
// it. It is what people and programs look at; /metrics is what is recorded.
type Status struct {
	Org     string       `json:"org,omitempty"` // where there are several; in a cluster with the partition, as in acme/0
	Ready   bool         `json:"ready"`
	Reasons []reason     `json:"reasons,omitempty"` // not to be ready
	Account AccountShown `json:"account"`
	Trouble string       `json:"trouble"` // what holds the org's requests back; none: nothing
	Spool   *SpoolShown  `json:"spool,omitempty"`

	Connections int          `json:"connections"` // of engines
	Calls       int          `json:"calls"`       // with a stream that is open or may come back
	Requests    []Requests   `json:"requests"`
	Budget      BudgetShown  `json:"budget"`
	Monitor     monitor.View `json:"monitor"`
}

// Overview is a daemon with several pipelines at one moment, as /status.json
// shows it where no org is named.
type Overview struct {
	Ready   bool            `json:"ready"` // one org is
	Reasons []reason        `json:"reasons,omitempty"`
	Orgs    []Status        `json:"orgs"`              // those that something works for; in a cluster the partitions that this daemon owns
	Cluster *cluster.Status `json:"cluster,omitempty"` // as this daemon sees it
}

// Requests counts the transcript requests of an endpoint that ended alike.
type Requests struct {
	Endpoint string `json:"endpoint"`
	Outcome  string `json:"outcome"`
	Count    uint64 `json:"count"`
}

// BudgetShown is how the org's daily API requests are doing.
type BudgetShown struct {
	Known          bool    `json:"known"`          // whether anything is known of them; if not, the numbers are zero
	Max            int64   `json:"max"`            // the org's, a day
	Used           int64   `json:"used"`           // by all its clients
	Left           float64 `json:"left"`           // of our share
	RunsOutSeconds float64 `json:"runsOutSeconds"` // until it is used up at the pace of the last minutes; 0: not within a day
	Short          bool    `json:"short"`          // utterances wait for longer, to cost less
	Spent          bool    `json:"spent"`          // nothing is sent until a part of it comes back
	WaitSeconds    float64 `json:"waitSeconds"`    // how long an utterance may wait for company
}

// AccountShown is the spool's account: accepted = delivered + rejected + pending.
type AccountShown struct {
	Accepted             uint64            `json:"accepted"`
	Delivered            uint64            `json:"delivered"`
	Rejected             map[string]uint64 `json:"rejected"` // by reason
	Pending              uint64            `json:"pending"`
	OldestPendingSeconds float64           `json:"oldestPendingSeconds"`
}

// SpoolShown is what a spool on a disk tells beside the account.
type SpoolShown struct {
	DiskBytes       uint64   `json:"diskBytes"` // what is settled and not yet gone included
	MaxBytes        uint64   `json:"maxBytes"`
	Frames          uint64   `json:"frames"`
	Recovered       uint64   `json:"recovered"` // utterances found waiting at the start
	Backlog         int      `json:"backlog"`   // utterances that wait on the disk only
	Restarts        uint64   `json:"restarts"`  // of the embedded store, after errors
	Damage          []string `json:"damage,omitempty"`
	DeadLetters     uint64   `json:"deadLetters"` // rejected utterances that are kept
	DeadLetterBytes uint64   `json:"deadLetterBytes"`
	TooOld          bool     `json:"tooOld"` // something waits for longer than STENO_SPOOL_MAX_AGE
}

// status is the pipeline's state now.
func (p *pipeline) status(ctx context.Context) Status {
	now, account := time.Now(), p.spool.Account()
	s := Status{Reasons: p.unready(ctx), Account: showAccount(account, now), Trouble: p.batcher.Trouble().String()}
	s.Ready = len(s.Reasons) == 0
	s.Org = p.name
	s.Connections, s.Calls = p.ingest.Active()
	s.Requests, s.Budget = p.requests(), p.budget()
	if on, ok := p.spool.(*durable.Spool); ok {
		s.Spool = showSpool(on.Stats())
	}
	s.Monitor = p.monitor.Snapshot(now, s.facts(account))
	return s
}

// facts are what the monitor's verdict goes by.
func (s *Status) facts(a spool.Account) monitor.Facts {
	f := monitor.Facts{Pending: a.Pending, Oldest: a.Oldest}
	for _, r := range s.Reasons {
		f.Troubles = append(f.Troubles, r.Message)
	}
	if s.Trouble != batcher.None.String() && s.Trouble != batcher.Barred.String() { // barred is a reason not to be ready
		f.Troubles = append(f.Troubles, "Salesforce holds requests back: "+s.Trouble)
	}
	if s.Budget.Spent {
		f.Troubles = append(f.Troubles, "our share of the org's daily API requests is used up")
	}
	if s.Spool != nil && 2*s.Spool.DiskBytes > s.Spool.MaxBytes {
		f.Troubles = append(f.Troubles, "the spool is more than half full")
	}
	return f
}

// requests are the sender's counts, which are metrics.
func (p *pipeline) requests() []Requests {
	counted := []Requests{}
	for _, name := range p.set.ListMetricNames() {
		var r Requests
		if _, err := fmt.Sscanf(name, "steno_requests_total{endpoint=%q,outcome=%q}", &r.Endpoint, &r.Outcome); err == nil {
			r.Count = p.set.GetOrCreateCounter(name).Get()
			counted = append(counted, r)
		}
	}
	return counted
}

func (p *pipeline) budget() BudgetShown {
	pace := p.batcher.Pace()
	b := BudgetShown{
		Known: pace.Known, Left: math.Floor(pace.Left), RunsOutSeconds: math.Round(pace.RunsOut.Seconds()),
		Short: pace.On, Spent: pace.Spent, WaitSeconds: pace.Wait.Seconds(),
	}
	if limit, known := p.client.Limit(); known {
		b.Max, b.Used = limit.Max, limit.Used
	}
	return b
}

func showAccount(a spool.Account, now time.Time) AccountShown {
	shown := AccountShown{Accepted: a.Accepted, Delivered: a.Delivered, Rejected: a.Rejected, Pending: a.Pending}
	if !a.Oldest.IsZero() {
		shown.OldestPendingSeconds = max(0, now.Sub(a.Oldest).Seconds())
	}
	return shown
}

func showSpool(st durable.Stats) *SpoolShown {
	shown := &SpoolShown{
		DiskBytes: st.Bytes, MaxBytes: st.MaxBytes, Frames: st.Frames, Recovered: st.Recovered,
		Backlog: st.Backlog, Restarts: st.Restarts, TooOld: st.TooOld,
		DeadLetters: st.DeadLetters.Letters, DeadLetterBytes: st.DeadLetters.Bytes,
	}
	for _, d := range st.Damage {
		shown.Damage = append(shown.Damage, d.String())
	}
	return shown
}

// serveStatus answers with the status, ready or not: of the org that ?org=
// names, or of all.
func (d *Daemon) serveStatus(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	w.Header().Set("Content-Type", "application/json")
	own := d.ownPage(r) == nil
	var answer any
	if org := r.URL.Query().Get("org"); !d.settings.many() || org != "" {
		p := d.pipelineOf(org)
		if p == nil {
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]string{"error": "nothing works for an org of that name: see /readyz"}
		} else {
			answer = p.statusFor(ctx, own)
		}
	} else {
		answer = d.overview(ctx, own)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		d.log.Debug("status not told", "cause", err)
	}
}

func (d *Daemon) overview(ctx context.Context, own bool) Overview {
	o := Overview{Orgs: []Status{}}
	o.Ready, o.Reasons = d.readiness(ctx)
	if d.membership != nil {
		o.Cluster = new(d.membership.cluster.Status())
	}
	for _, w := range d.working() {
		o.Orgs = append(o.Orgs, w.statusFor(ctx, own))
	}
	return o
}

// statusFor is the status with the last hour. Sums are for everybody who gets
// here, calls only for the monitor's own page and for programs.
func (p *pipeline) statusFor(ctx context.Context, own bool) Status {
	s := p.status(ctx)
	s.Monitor.Hour = p.monitor.Hour(time.Now())
	if !own {
		s.Monitor.Calls.Shown, s.Monitor.Rejected, s.Monitor.Connections = nil, nil, nil
	}
	return s
}
