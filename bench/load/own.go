package load

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ownAdded is the metric in which a daemon says what latency it has added: from
// the moment that it read an utterance from the socket to the moment that the
// request was written. What this package measures itself begins when the
// utterance was due and ends at the sink.
const ownAdded = "steno_added_latency_seconds"

// bound is how many durations were at most so long.
type bound struct{ seconds, count float64 }

// bounds reads a Prometheus histogram out of metrics, shortest first; nil where
// it is not there.
func bounds(metrics map[string]float64, name string) (all []bound) {
	for metric, count := range metrics {
		le, ok := strings.CutPrefix(metric, name+`_bucket{le="`)
		le, closed := strings.CutSuffix(le, `"}`)
		if seconds, err := strconv.ParseFloat(le, 64); ok && closed && err == nil {
			all = append(all, bound{seconds, count})
		}
	}
	slices.SortFunc(all, func(a, b bound) int { return cmp.Compare(a.seconds, b.seconds) })
	return all
}

// own says what the program tells of the latency that it adds, in the terms of its
// histogram; empty where it tells nothing.
func (r *Report) own() string {
	all := bounds(r.Runtime, ownAdded)
	if len(all) == 0 || all[len(all)-1].count == 0 {
		return ""
	}
	total := all[len(all)-1].count
	var words []string
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		at := slices.IndexFunc(all, func(b bound) bool { return b.count >= q.share*total })
		below := 0.0
		if at > 0 {
			below = all[at-1].seconds
		}
		words = append(words, fmt.Sprintf("%s between %g and %g ms", q.name, below*1000, all[at].seconds*1000))
	}
	return strings.Join(words, ", ")
}
