package ingest

import (
	"example.com/steno/ingest/dialect"
	"github.com/VictoriaMetrics/metrics"
)

// counters are what ingest counts. The sums of utterances accepted, delivered,
// rejected and pending are the spool's, and the daemon's to show.
type counters struct {
	duplicates    *metrics.Counter
	partials      *metrics.Counter
	ignoredTypes  *metrics.Counter
	ignoredFields *metrics.Counter
	nacks         map[string]*metrics.Counter // by code
	refused       map[string]*metrics.Counter // by why
	dialects      map[string]dialectCounters  // by name
}

// dialectCounters are what is counted of the engines of one dialect.
type dialectCounters struct {
	utterances *metrics.Counter
	partials   *metrics.Counter
	ignored    *metrics.Counter // frames
	revisions  *metrics.Counter
	failures   *metrics.Counter
}

// newCounters registers all of them, so that a dashboard shows zeros and not
// gaps. It panics where the set has them already: a set has one Server.
func newCounters(set *metrics.Set, dialects []dialect.Dialect) counters {
	c := counters{
		duplicates:    set.NewCounter("steno_utterances_duplicate_total"),
		partials:      set.NewCounter("steno_ingest_partials_total"),
		ignoredTypes:  set.NewCounter(`steno_ingest_ignored_total{why="type"}`),
		ignoredFields: set.NewCounter(`steno_ingest_ignored_total{why="field"}`),
		nacks:         map[string]*metrics.Counter{},
		refused:       map[string]*metrics.Counter{},
		dialects:      map[string]dialectCounters{},
	}
	for _, code := range []string{codeInvalid, codeTooLarge, codeUnknownStream, codeGap, codeCallEnded} {
		c.nacks[code] = set.NewCounter(`steno_ingest_nacks_total{code="` + code + `"}`)
	}
	for _, why := range []string{"unauthorized", "origin", "starting", "draining", "full", "busy", "handshake"} {
		c.refused[why] = set.NewCounter(`steno_ingest_connections_refused_total{why="` + why + `"}`)
	}
	for _, d := range dialects {
		count := func(what string) *metrics.Counter {
			return set.NewCounter("steno_ingest_" + what + `_total{dialect="` + d.Name + `"}`)
		}
		c.dialects[d.Name] = dialectCounters{
			utterances: count("engine_utterances"), partials: count("engine_partials"), ignored: count("engine_ignored"),
			revisions: count("revisions"), failures: count("engine_failures"),
		}
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
