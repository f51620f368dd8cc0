package daemon

import (
	"math"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/cmd/steno/cluster"
)

// gauges are what /metrics shows of the cluster as this daemon sees it.
func (m *membership) gauges(set *metrics.Set) {
	of := func(name string, value func(s *cluster.Status) int) {
		set.NewGauge(name, func() float64 {
			s := m.cluster.Status()
			return float64(value(&s))
		})
	}
	of("steno_cluster_members", (*cluster.Status).Living)
	of("steno_cluster_partitions_unowned", (*cluster.Status).Unowned)
	of("steno_cluster_partitions_owned", func(*cluster.Status) int { return len(m.daemon.pipelines.all()) })
	of("steno_cluster_connections", func(*cluster.Status) int { return m.door.Connections() })
	of("steno_cluster_fenced", func(s *cluster.Status) int {
		if s.Fenced {
			return 1
		}
		return 0
	})
}

// load is what this daemon tells the others that it has to do.
func (m *membership) load(now time.Time) (l cluster.Load) {
	var oldest time.Time
	for _, w := range m.daemon.pipelines.all() {
		_, calls := w.ingest.Active()
		account, pace := w.spool.Account(), w.monitor.Pace(now)
		l.Calls += calls
		l.Pending += account.Pending
		l.Delivered += pace.Delivered
		l.P95 = max(l.P95, pace.P95)
		if at := account.Oldest; !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		l.Oldest = math.Round(max(0, now.Sub(oldest).Seconds())*100) / 100
	}
	l.Delivered = math.Round(l.Delivered*10) / 10
	return l
}
