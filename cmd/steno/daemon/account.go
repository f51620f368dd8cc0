package daemon

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/sfclient"
)

// writeAccount writes the spool's sums as metrics. They are of one moment, so
// that in every scrape accepted = delivered + rejected + pending.
func writeAccount(w io.Writer, a spool.Account, now time.Time) {
	metrics.WriteCounterUint64(w, "steno_utterances_accepted_total", a.Accepted)
	metrics.WriteCounterUint64(w, "steno_utterances_delivered_total", a.Delivered)
	for _, reason := range rejectReasons(a) {
		metrics.WriteCounterUint64(w, fmt.Sprintf("steno_utterances_rejected_total{reason=%q}", reason), a.Rejected[reason])
	}
	metrics.WriteGaugeUint64(w, "steno_utterances_pending", a.Pending)
	oldest := 0.0
	if !a.Oldest.IsZero() {
		oldest = max(0, now.Sub(a.Oldest).Seconds())
	}
	metrics.WriteGaugeFloat64(w, "steno_oldest_pending_seconds", oldest)
	metrics.WriteGaugeUint64(w, "steno_spool_bytes", a.Bytes)
}

// writeStore writes what a spool on a disk has to tell beside the account.
func writeStore(w io.Writer, s spool.Spool) {
	var st durable.Stats
	if d, ok := s.(*durable.Spool); ok {
		st = d.Stats()
	}
	metrics.WriteGaugeUint64(w, "steno_spool_disk_bytes", st.Bytes)
	metrics.WriteGaugeUint64(w, "steno_spool_max_bytes", st.MaxBytes)
	metrics.WriteGaugeUint64(w, "steno_spool_recovered_utterances", st.Recovered)
	metrics.WriteGaugeUint64(w, "steno_spool_damaged_utterances", st.Lost)
	metrics.WriteCounterUint64(w, "steno_spool_store_errors_total", st.StoreErrors)
}

// unreadyCodes are the codes of every reason not to be ready.
var unreadyCodes = []string{"draining", "salesforce_token", "salesforce_barred", "spool"}

// writeReadiness writes which reasons not to be ready there are.
func writeReadiness(w io.Writer, reasons []reason) {
	for _, code := range unreadyCodes {
		holds := slices.ContainsFunc(reasons, func(r reason) bool { return r.Code == code })
		value := uint64(0)
		if holds {
			value = 1
		}
		metrics.WriteGaugeUint64(w, fmt.Sprintf("steno_unready{why=%q}", code), value)
	}
}

// rejectReasons are all that there are, so that an alert finds each of them at
// zero, and in case one has been forgotten those of the account.
func rejectReasons(a spool.Account) []string {
	reasons := slices.Clone(allReasons)
	for r := range a.Rejected {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// writeLimit writes what is left of the org's daily API requests. It is not a
// number until Salesforce has told.
func writeLimit(w io.Writer, c *sfclient.Client) {
	remaining := math.NaN()
	if limit, known := c.Limit(); known {
		remaining = float64(limit.Max - limit.Used)
	}
	metrics.WriteGaugeFloat64(w, "steno_api_requests_remaining", remaining)
}

// accountLine is the account as the daemon's last words.
func accountLine(a spool.Account) string {
	var rejected uint64
	for _, n := range a.Rejected {
		rejected += n
	}
	return fmt.Sprintf("account: accepted %d, delivered %d, rejected %d, pending %d", a.Accepted, a.Delivered, rejected, a.Pending)
}
