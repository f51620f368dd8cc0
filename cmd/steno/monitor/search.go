package monitor

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
)

// shownCalls are the calls for the snapshot. The lock is held.
func (m *Monitor) shownCalls(now time.Time) CallsShown {
	oldest := m.oldest()
	var active []*call
	shown := CallsShown{Shown: []CallShown{}}
	for _, c := range m.calls {
		if !c.active(now) && c.waiting == 0 {
			continue
		}
		active = append(active, c)
		if c.silentSide(now) != "" {
			shown.OneSided++
		}
	}
	shown.Active = len(active)
	for _, c := range first(active, now, oldest, maxShown) {
		shown.Shown = append(shown.Shown, c.show(now, oldest[c], 1))
	}
	return shown
}

// first are the first n calls: those in trouble, the worst of them first, then
// the newest. The order of the others does not change from one second to the
// next, so that they can be read.
//
// Each call is compared with the last of those found so far, and seldom with
// more: to sort a thousand every second would be most of what the page costs.
func first(calls []*call, now time.Time, oldest map[*call]time.Time, n int) []*call {
	best := make([]ranked, 0, n+1)
	for _, c := range calls {
		r := ranked{call: c}
		if at, waits := oldest[c]; waits && now.Sub(at) > time.Second {
			r.trouble = now.Sub(at)
		} else if c.silentSide(now) != "" {
			r.trouble = time.Second
		}
		if len(best) == n && !r.before(best[n-1]) {
			continue
		}
		at := sort.Search(len(best), func(i int) bool { return r.before(best[i]) })
		best = slices.Insert(best, at, r)
		best = best[:min(n, len(best))]
	}
	shown := make([]*call, len(best))
	for i := range best {
		shown[i] = best[i].call
	}
	return shown
}

// ranked is a call and how bad its trouble is.
type ranked struct {
	trouble time.Duration
	*call
}

// before is first's order.
func (r ranked) before(other ranked) bool {
	switch {
	case r.trouble != other.trouble:
		return r.trouble > other.trouble
	case !r.since.Equal(other.since):
		return r.since.After(other.since)
	}
	return r.key.key < other.key.key
}

// Search returns the calls whose key has a part in it, not all if they are
// many, and how many there are.
func (m *Monitor) Search(now time.Time, part string) (shown []CallShown, found int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var calls []*call
	for key, c := range m.calls {
		if strings.Contains(strings.ToLower(key.key), strings.ToLower(part)) {
			calls = append(calls, c)
		}
	}
	oldest, shown := m.oldest(), []CallShown{}
	for _, c := range first(calls, now, oldest, maxShown) {
		shown = append(shown, c.show(now, oldest[c], 1))
	}
	return shown, len(calls)
}

// Call returns all that is known of one call.
func (m *Monitor) Call(now time.Time, org, key string) (CallShown, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.calls[callKey{org, key}]
	if c == nil {
		return CallShown{}, false
	}
	return c.show(now, m.oldest()[c], maxSaid), true
}

// oldest is when the oldest utterance of each call that waits was received. The
// lock is held.
func (m *Monitor) oldest() map[*call]time.Time {
	oldest := map[*call]time.Time{}
	for _, j := range m.journeys.under {
		if at, known := oldest[j.call]; !known || j.received.time().Before(at) {
			oldest[j.call] = j.received.time()
		}
	}
	return oldest
}

// show shows a call with its last utterances.
func (c *call) show(now, oldest time.Time, last int) CallShown {
	s := CallShown{
		Org: c.key.org, Key: c.key.key, Dialect: cmp.Or(c.dialect, web), Age: inSeconds(now.Sub(c.since)),
		Open: c.streams > 0, Waiting: c.waiting, Silent: c.silentSide(now), Said: []SaidShown{},
	}
	if !oldest.IsZero() {
		s.Oldest = inSeconds(now.Sub(oldest))
	}
	c.said.last(last, func(u *said) { s.Said = append(s.Said, u.show(now)) })
	for _, speaker := range slices.Sorted(maps.Keys(c.partial)) {
		if p := c.partial[speaker]; now.Sub(p.at) < stale {
			s.Partials = append(s.Partials, SaidShown{Sender: p.sender, Text: p.text, Received: p.at.UnixMilli()})
		}
	}
	return s
}

// show shows an utterance; what is not settled yet has waited until now.
func (s *said) show(now time.Time) SaidShown {
	end := now
	if s.settled() {
		end = s.answered.time()
	}
	shown := SaidShown{
		Sender: s.sender.String(), Spoken: s.spoken.millis(), Received: s.received.millis(), Written: s.written.millis(),
		Answered: s.answered.millis(), Latency: inSeconds(max(0, end.Sub(s.spoken.time())-s.clock)), Requests: int(s.tries),
	}
	if s.rare != nil {
		shown.Text, shown.Rejected = s.rare.text, s.rare.rejected
	}
	return shown
}
