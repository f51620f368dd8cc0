package batcher

import (
	"math"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meter holds the batcher's metrics.
type meter struct {
	messages  *metrics.PrometheusHistogram
	added     *metrics.PrometheusHistogram
	delivery  *metrics.PrometheusHistogram
	speech    *metrics.PrometheusHistogram
	repeated  *metrics.Counter
	ambiguous *metrics.Counter
	late      *metrics.Counter
}

// latencyBounds resolve what an agent can tell apart, in seconds.
var latencyBounds = []float64{.001, .002, .005, .01, .02, .03, .04, .05, .075, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300}

func newMeter(set *metrics.Set, pace func() Pace) meter {
	set.NewGauge("steno_batch_wait_seconds", func() float64 { return pace().Wait.Seconds() })
	set.NewGauge("steno_api_share_remaining", func() float64 {
		if p := pace(); p.Known {
			return p.Left
		}
		return math.NaN()
	})
	set.NewGauge("steno_api_runs_out_seconds", func() float64 {
		if p := pace(); p.RunsOut > 0 || p.Spent {
			return p.RunsOut.Seconds()
		}
		return math.Inf(1)
	})
	return meter{
		messages:  set.NewPrometheusHistogramExt("steno_batch_messages", []float64{1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25}),
		added:     set.NewPrometheusHistogramExt("steno_added_latency_seconds", latencyBounds),
		delivery:  set.NewPrometheusHistogramExt("steno_delivery_latency_seconds", latencyBounds),
		speech:    set.NewPrometheusHistogramExt("steno_speech_latency_seconds", latencyBounds),
		repeated:  set.NewCounter("steno_utterances_repeated_total"),
		ambiguous: set.NewCounter("steno_utterances_ambiguous_total"),
		late:      set.NewCounter("steno_utterances_late_total"),
	}
}

// sent counts a request that has ended, before its outcome is booked: what is
// ambiguous of its utterances was so when it left.
func (m *meter) sent(r result) {
	for i := range r.request.Entries {
		for _, u := range r.request.Entries[i].Utterances {
			if u.Attempts > 1 {
				m.repeated.Inc()
				if u.Ambiguous {
					m.ambiguous.Inc()
				}
			} else if !r.outcome.Written.IsZero() {
				seconds(m.added, r.outcome.Written.Sub(u.Received))
			}
		}
	}
}

// settled counts what an outcome has settled.
func (m *meter) settled(all []Settled) {
	for i := range all {
		if s := &all[i]; s.Rejected == "" {
			seconds(m.delivery, s.Answered.Sub(s.Received))
			seconds(m.speech, s.Answered.Sub(s.Spoken))
		}
	}
}

func seconds(h *metrics.PrometheusHistogram, d time.Duration) { h.Update(max(0, d.Seconds())) }
