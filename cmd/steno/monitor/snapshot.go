package monitor

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Facts are what a snapshot must be told: others keep these books.
type Facts struct {
	Pending  uint64    // utterances that are safe and not settled
	Oldest   time.Time // when the oldest of them was received; zero: there is none
	Troubles []string  // what is not as it should be, in words
}

// What a snapshot shows at most, however many there are.
const (
	maxShown       = 50 // calls
	maxConnections = 30
)

// Snapshot is the state of the moment, without the hour.
func (m *Monitor) Snapshot(now time.Time, f Facts) View {
	company := m.cfg.Company()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	recent, minute := m.history.seconds.last(now, nowSlots), m.history.seconds.last(now, len(m.history.seconds.slots))
	hour := m.history.hour.last(now, hourSlots)
	v := View{
		At: now.UTC(), Text: m.cfg.Text, Rates: m.rates(now),
		Latency: Latencies{
			Now: latencyOf(&recent.speech), Minute: latencyOf(&minute.speech), Hour: latencyOf(&hour.speech), Delivery: latencyOf(&minute.delivery),
		},
		Stages:  m.stages(now, company, f),
		Engines: m.engines(), Connections: m.connections(now), Rejected: slices.Clone(m.rejected),
	}
	slices.Reverse(v.Rejected)
	for i, spent := range recent.spent {
		v.Stages[i].Mean = inSeconds(spent / time.Duration(max(1, recent.settled)))
	}
	v.Calls = m.shownCalls(now)
	v.Verdict = verdict(now, f, &v, minute.settled)
	return v
}

// Pace is how fast speech goes through, in the last ten seconds.
type Pace struct {
	Delivered float64 // utterances a second
	P95       float64 // seconds from the end of speech to Salesforce's acceptance
}

// Pace is a little of a Snapshot, at next to no cost.
func (m *Monitor) Pace(now time.Time) Pace {
	m.mu.Lock()
	defer m.mu.Unlock()
	recent := m.history.seconds.last(now, nowSlots)
	return Pace{m.rates(now).Delivered, latencyOf(&recent.speech).P95}
}

// verdict judges what the snapshot shows.
func verdict(now time.Time, f Facts, v *View, settled uint32) Verdict {
	waited := time.Duration(0)
	if !f.Oldest.IsZero() {
		waited = now.Sub(f.Oldest)
	}
	for i := range v.Stages {
		waited = max(waited, time.Duration(v.Stages[i].Longest*float64(time.Second)))
	}
	reason := strings.Join(f.Troubles, "; ")
	switch {
	case waited > latePending, v.Latency.Now.P95 > lateLatency.Seconds():
		worst := slices.MaxFunc(v.Stages, func(a, b StageShown) int {
			return cmp.Compare(max(a.Mean, a.Longest), max(b.Mean, b.Longest))
		})
		return Verdict{State: Late, Stage: worst.Name, Reason: reason}
	case reason != "":
		return Verdict{State: Trouble, Reason: reason}
	case settled == 0 && f.Pending == 0:
		return Verdict{State: Quiet}
	}
	return Verdict{State: Fine}
}

// rates are of the last whole seconds. The lock is held.
func (m *Monitor) rates(now time.Time) Rates {
	s := m.history.seconds.last(now.Add(-time.Second), nowSlots)
	a := func(n uint32) float64 { return float64(n) / nowSlots }
	return Rates{Accepted: a(s.accepted), Delivered: a(s.settled), Rejected: a(s.rejected), Requests: a(s.requests), Refused: a(s.refused)}
}

// stages says where the utterances are. The lock is held.
func (m *Monitor) stages(now time.Time, company time.Duration, f Facts) []StageShown {
	shown := make([]StageShown, stages)
	for s := range stages {
		shown[s].Name = s.String()
	}
	put := func(s stage, n int, longest time.Duration) {
		shown[s].Inside += n
		if n > 0 {
			shown[s].Longest = max(shown[s].Longest, inSeconds(longest))
		}
	}
	for _, j := range m.journeys.under {
		at, spent := j.where(stampOf(now), company), j.spent(stampOf(now), company)
		put(at, 1, spent[at])
	}
	for s := range m.storing {
		put(inSpool, s.utterances, now.Sub(s.since))
	}
	// What waits on the disk only came after all that the batcher holds.
	if behind := int(f.Pending) - len(m.journeys.under); behind > 0 {
		shown[inSpool].Inside += behind
	}
	return shown
}

// engines sums the connections up by dialect. The lock is held.
func (m *Monitor) engines() []EngineShown {
	sums := map[string]*EngineShown{}
	sum := func(dialect string) *EngineShown {
		if sums[dialect] == nil {
			sums[dialect] = &EngineShown{Dialect: dialect}
		}
		return sums[dialect]
	}
	for _, l := range m.links {
		sum(l.dialect).Connections++
	}
	for dialect, e := range m.errors() {
		sum(dialect).Skew = inSeconds(e)
	}
	shown := make([]EngineShown, 0, len(sums))
	for _, dialect := range slices.Sorted(maps.Keys(sums)) {
		shown = append(shown, *sums[dialect])
	}
	return shown
}

// connections are those whose clocks are worst, the newest first among equals.
// The lock is held.
func (m *Monitor) connections(now time.Time) []ConnectionShown {
	links := slices.SortedFunc(maps.Values(m.links), func(a, b *link) int {
		return cmp.Or(worse(a.clock.error(), b.clock.error()), cmp.Compare(b.id, a.id))
	})
	shown := []ConnectionShown{}
	for _, l := range links[:min(len(links), maxConnections)] {
		c := ConnectionShown{
			Dialect: l.dialect, Remote: l.remote, Age: inSeconds(now.Sub(l.since)), Streams: l.streams,
			Heard: -1, Skew: inSeconds(l.clock.error()),
		}
		if !l.heard.IsZero() {
			c.Heard = inSeconds(now.Sub(l.heard))
		}
		shown = append(shown, c)
	}
	return shown
}

// Hour is the last hour.
func (m *Monitor) Hour(now time.Time) *Hour {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &m.history.hour
	h := &Hour{Step: w.width.Seconds(), Begin: (w.number(now) - hourSlots + 1) * int64(w.width/time.Second), Stages: make([]Series, stages)}
	for s := range stages {
		h.Stages[s].Name = s.String()
	}
	w.each(now, hourSlots, func(s *slot) {
		if s == nil {
			s = &slot{}
		}
		l := latencyOf(&s.speech)
		h.P50, h.P95, h.P99 = append(h.P50, l.P50), append(h.P95, l.P95), append(h.P99, l.P99)
		h.Rate = append(h.Rate, float64(s.settled)/w.width.Seconds())
		for i, spent := range s.spent {
			h.Stages[i].Mean = append(h.Stages[i].Mean, inSeconds(spent/time.Duration(max(1, s.settled))))
		}
	})
	return h
}

func latencyOf(h *histogram) Latency {
	return Latency{Count: h.count(), P50: inSeconds(h.quantile(.5)), P95: inSeconds(h.quantile(.95)), P99: inSeconds(h.quantile(.99))}
}

// inSeconds rounds to the millisecond, which is what people can read.
func inSeconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
