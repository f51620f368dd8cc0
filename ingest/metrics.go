package ingest

import "github.com/VictoriaMetrics/metrics"

// counters are what ingest counts. The sums of utterances accepted, delivered,
// rejected and pending are the spool's, and the daemon's to show.
type counters struct {
	duplicates    *metrics.Counter
	partials      *metrics.Counter
	ignoredTypes  *metrics.Counter
	ignoredFields *metrics.Counter
	nacks         map[string]*metrics.Counter // by code
	refused       map[string]*metrics.Counter // by why
}

// newCounters registers all of them, so that a dashboard shows zeros and not
// gaps. It panics where the set has them already: a set has one Server.
func newCounters(set *metrics.Set) counters {
	c := counters{
		duplicates:    set.NewCounter("steno_utterances_duplicate_total"),
		partials:      set.NewCounter("steno_ingest_partials_total"),
		ignoredTypes:  set.NewCounter(`steno_ingest_ignored_total{why="type"}`),
		ignoredFields: set.NewCounter(`steno_ingest_ignored_total{why="field"}`),
		nacks:         map[string]*metrics.Counter{},
		refused:       map[string]*metrics.Counter{},
	}
	for _, code := range []string{codeInvalid, codeTooLarge, codeUnknownStream, codeGap, codeCallEnded} {
		c.nacks[code] = set.NewCounter(`steno_ingest_nacks_total{code="` + code + `"}`)
	}
	for _, why := range []string{"unauthorized", "origin", "starting", "draining", "full", "handshake"} {
		c.refused[why] = set.NewCounter(`steno_ingest_connections_refused_total{why="` + why + `"}`)
	}
	return c
}

func (c counters) nacked(code string) { c.nacks[code].Inc() }

// newGauges registers what is read from the server's state when asked.
func (s *Server) newGauges(set *metrics.Set) {
	set.NewGauge("steno_connections", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.conns))
	})
	set.NewGauge("steno_calls_active", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(s.registry.active)
	})
}
