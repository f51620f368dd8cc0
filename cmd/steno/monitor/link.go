package monitor

import "time"

// link is one connection of an engine, or what all that came over HTTP have in
// common.
type link struct {
	id      uint64 // 0: HTTP
	dialect string
	remote  string
	since   time.Time
	heard   time.Time // the last utterance; zero: none yet
	clock   clock
	streams int
}

// web is the dialect's name of what came over HTTP: one clock for all of it, as
// nobody knows how many there are.
const web = "http"

// unknown is the dialect of what was said before a restart on a stream that
// nobody has opened since.
const unknown = "unknown"

// errors are by how much the engines' clocks are behind, the worst of each
// dialect.
func (m *Monitor) errors() map[string]time.Duration {
	worst := map[string]time.Duration{}
	note := func(l *link) {
		if l.heard.IsZero() {
			return
		}
		if e, known := worst[l.dialect]; !known || l.clock.error().Abs() > e.Abs() {
			worst[l.dialect] = l.clock.error()
		}
	}
	for _, l := range m.links {
		note(l)
	}
	note(&m.web)
	return worst
}
