package daemon

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// Status is a daemon at one moment, as /status.json shows it. It is what
// people and programs look at; /metrics is what is recorded.
type Status struct {
	Ready   bool         `json:"ready"`
	Reasons []reason     `json:"reasons,omitempty"` // not to be ready
	Account AccountShown `json:"account"`
	Trouble string       `json:"trouble"` // what holds the org's requests back; none: nothing
	Spool   *SpoolShown  `json:"spool,omitempty"`
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

// Status is the daemon's state now.
func (d *Daemon) Status(ctx context.Context) Status {
	s := Status{Reasons: d.unready(ctx), Account: showAccount(d.spool.Account(), time.Now()), Trouble: d.batcher.Trouble().String()}
	s.Ready = len(s.Reasons) == 0
	if on, ok := d.spool.(*durable.Spool); ok {
		s.Spool = showSpool(on.Stats())
	}
	return s
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

// serveStatus answers with the status, ready or not.
func (d *Daemon) serveStatus(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(d.Status(ctx)); err != nil {
		d.log.Debug("status not told", "cause", err)
	}
}
