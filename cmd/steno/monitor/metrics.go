package monitor

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meter holds the metrics that need more than one place of the flow to know.
// Labels are stages, dialects and the org's name: closed sets.
type meter struct {
	set     *metrics.Set
	org     string
	stages  [stages]*metrics.PrometheusHistogram
	console map[string]*metrics.PrometheusHistogram // by dialect; the monitor's lock guards it
}

// seconds resolve what an agent can tell apart, from 5 ms to 5 s, and beyond
// that what an operator can.
var seconds = []float64{.005, .01, .02, .03, .05, .075, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300}

func newMeter(cfg Config, m *Monitor) meter {
	meter := meter{set: cfg.Metrics, org: cfg.Org, console: map[string]*metrics.PrometheusHistogram{}}
	for s := range stages {
		meter.stages[s] = meter.set.NewPrometheusHistogramExt(fmt.Sprintf("steno_stage_seconds{stage=%q}", s), seconds)
	}
	meter.set.RegisterMetricsWriter(m.write)
	return meter
}

// delivered counts an utterance that Salesforce has accepted. The lock is held.
func (m *meter) delivered(dialect string, speech time.Duration, spent *[stages]time.Duration) {
	console := m.console[dialect]
	if console == nil {
		name := fmt.Sprintf("steno_console_latency_seconds{org=%q,dialect=%q}", m.org, dialect)
		console = m.set.NewPrometheusHistogramExt(name, seconds)
		m.console[dialect] = console
	}
	console.Update(speech.Seconds())
	for s, d := range spent {
		m.stages[s].Update(d.Seconds())
	}
}

// write writes what is looked up when asked.
func (m *Monitor) write(w io.Writer) {
	now := time.Now()
	m.mu.Lock()
	silent, errors := 0, m.errors()
	for _, c := range m.calls {
		if c.silentSide(now) != "" {
			silent++
		}
	}
	m.mu.Unlock()
	metrics.WriteGaugeUint64(w, "steno_calls_one_sided", uint64(silent))
	for _, dialect := range slices.Sorted(maps.Keys(errors)) {
		metrics.WriteGaugeFloat64(w, fmt.Sprintf("steno_engine_skew_seconds{dialect=%q}", dialect), errors[dialect].Seconds())
	}
}
