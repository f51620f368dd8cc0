package monitor

import (
	"maps"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/tidwall/gjson"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
)

// Config says what a Monitor may know and who tells it.
type Config struct {
	Text    bool                 // keep and show what was said
	Org     string               // the only org's name, for metrics
	Probe   string               // the vendorCallKey of the call that probes are sent to, of which nobody expects two sides
	Company func() time.Duration // the most that an utterance may wait for company at the moment; must not wait
	Metrics *metrics.Set
}

// Monitor hears of what happens along the flow. Its methods may be called from
// many goroutines and never wait for more than each other.
type Monitor struct {
	cfg   Config
	meter meter

	mu       sync.Mutex // guards what follows
	history  history
	calls    map[callKey]*call
	open     map[spool.StreamID]open // by the streams that connections have
	links    map[uint64]*link
	web      link
	journeys journeys
	storing  map[*storing]struct{}
	rejected []Rejection // the last of them, newest last
	swept    time.Time
}

// storing is a group of utterances that the spool is making safe.
type storing struct {
	utterances int
	since      time.Time // when the oldest of them was received
}

// open is where what is said on an open stream belongs.
type open struct {
	call *call // kept in calls or not
	link *link // the connection that has it; nil: never told of
}

// maxRejected is how many rejections are remembered.
const maxRejected = 20

// New returns a monitor that has heard of nothing yet.
func New(cfg Config) *Monitor {
	m := &Monitor{
		cfg: cfg, history: newHistory(), calls: map[callKey]*call{}, open: map[spool.StreamID]open{}, links: map[uint64]*link{}, web: link{dialect: web},
		rejected: []Rejection{}, storing: map[*storing]struct{}{},
	}
	m.meter = newMeter(cfg, m)
	return m
}

// Watch is what ingest tells the monitor.
func (m *Monitor) Watch() ingest.Watch {
	return ingest.Watch{Connected: m.connected, Gone: m.gone, Opened: m.opened, Released: m.released}
}

func (m *Monitor) connected(c ingest.Connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links[c.ID] = &link{id: c.ID, dialect: c.Dialect, remote: c.Remote, since: time.Now()}
}

func (m *Monitor) gone(id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.links, id)
}

func (m *Monitor) opened(o ingest.Opened) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	is := open{m.call(now, callKey{o.Stream.Org, o.Call}), m.links[o.Connection]}
	if m.open[o.Stream] != is {
		m.let(o.Stream) // it was another call's, or another connection's
		m.open[o.Stream] = is
		is.call.streams++
		if is.link != nil {
			is.link.streams++
			is.call.dialect = is.link.dialect
		}
	}
	is.call.heard, is.call.ended = now, false
}

func (m *Monitor) released(id spool.StreamID, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if was := m.let(id); was.call != nil {
		was.call.ended = ended
	}
}

// let closes a stream, where it is open, and returns what it was. The lock is
// held.
func (m *Monitor) let(id spool.StreamID) (was open) {
	was, known := m.open[id]
	if !known {
		return was
	}
	delete(m.open, id)
	was.call.streams--
	if was.link != nil {
		was.link.streams--
	}
	return was
}

// call finds a call, or hears of it for the first time. The lock is held.
func (m *Monitor) call(now time.Time, key callKey) *call {
	c := m.calls[key]
	if c == nil {
		m.sweep(now)
		c = &call{key: key, since: now, heard: now, probe: key.key != "" && key.key == m.cfg.Probe}
		if len(m.calls) < maxCalls { // L3: else its utterances are followed, and it is not shown
			m.calls[key] = c
		}
	}
	return c
}

// origin is the call that a record was said in, and the connection that it came
// in on; nil where nobody has its stream open in that call, as after a restart.
// The lock is held.
func (m *Monitor) origin(now time.Time, r *spool.Record) (*call, *link) {
	key := callKey{r.Org, r.Call}
	if r.Stream.ID == "" {
		return m.call(now, key), &m.web
	}
	if on := m.open[r.Stream]; on.call != nil && on.call.key == key { // L3: it may not be kept
		return on.call, on.link
	}
	return m.call(now, key), nil
}

// sweep forgets the calls that are over, at most every ten seconds, and where
// there are as many as may be those of which nothing is left to come (L4). The
// lock is held.
func (m *Monitor) sweep(now time.Time) {
	if now.Sub(m.swept) < 10*time.Second {
		return
	}
	m.swept = now
	full := len(m.calls) >= maxCalls
	maps.DeleteFunc(m.calls, func(_ callKey, c *call) bool { return c.over(now) || full && c.idle() })
}

// Partial takes in speech that is not final.
func (m *Monitor) Partial(p ingest.Partial) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.calls[callKey{p.Stream.Org, p.Call}]; c != nil {
		c.hint(now, p, m.cfg.Text)
	}
}

// Storing notes that the spool is asked to make records safe. The caller calls
// stored when it has, or has failed to.
func (m *Monitor) Storing(group []*spool.Record) (stored func(error)) {
	s := &storing{}
	for _, r := range group {
		if !r.Ended {
			s.utterances++
			if s.since.IsZero() || r.Received.Before(s.since) {
				s.since = r.Received
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.storing[s] = struct{}{}
	return func(err error) {
		now := time.Now()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.storing, s)
		if err == nil {
			for _, slot := range m.history.both(now) {
				slot.accepted += uint32(s.utterances)
			}
		}
	}
}

// Taken notes what the batcher has taken from the spool. It leaves each one's
// journey on its Note, for what is told of it later.
func (m *Monitor) Taken(all []*batcher.Utterance) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range all {
		u.Note = m.begin(now, u.Record)
	}
}

// journeyOf is where Taken has left it; nil: it is over, or was never told of.
func journeyOf(u *batcher.Utterance) *journey {
	j, _ := u.Note.(*journey)
	return j
}

// begin begins an utterance's journey. The lock is held.
func (m *Monitor) begin(now time.Time, r *spool.Record) *journey {
	c, l := m.origin(now, r)
	read := stampOf(now)
	s := said{sender: senderOf(r.Message), spoken: stampOf(r.Spoken), received: stampOf(r.Received)}
	if m.cfg.Text {
		s.more().text = cut(gjson.GetBytes(r.Message, "content").Str)
	}
	dialect := unknown
	if l != nil {
		l.heard = r.Received
		l.clock.hear(r.Received, r.Received.Sub(r.Spoken))
		s.clock, dialect = l.clock.error(), l.dialect
	}
	c.waiting++
	return m.journeys.begin(journey{
		call: c, number: int32(c.add(s, r.Speaker, r.Received)), spoken: s.spoken, received: s.received, clock: s.clock, dialect: dialect,
		read: read, laneBefore: c.lane.busy(read),
	})
}

// Sending notes that a request leaves.
func (m *Monitor) Sending(r batcher.Request) {
	now, company := stampOf(time.Now()), m.cfg.Company()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range r.Entries {
		for _, u := range e.Utterances {
			if j := journeyOf(u); j != nil {
				j.leave(now, company)
				j.call.lane.take(now)
				if s := j.said(); s != nil {
					s.tries = int32(u.Attempts)
				}
			}
		}
	}
}

// Answered notes that a request has come back. What it settles is told by
// Settled.
func (m *Monitor) Answered(r batcher.Request, o batcher.Outcome) {
	now, written := time.Now(), stampOf(o.Written)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range r.Entries {
		land(stampOf(now), written, r.Entries[i].Utterances, &o.Results[i])
	}
	for _, s := range m.history.both(now) {
		s.requests++
		if o.Err != nil {
			s.refused++
		}
	}
}

// land notes that the utterances of an entry are back. Where all of them are
// delivered that is left to Settled, which looks at each of them anyway, in a
// moment. The lock is held.
func land(now, written stamp, all []*batcher.Utterance, r *batcher.Result) {
	delivered := r.Verdict == batcher.Deliver && len(r.Only) == 0
	for _, u := range all {
		j := journeyOf(u)
		if j == nil {
			continue
		}
		j.call.lane.free(now)
		j.call.written = written
		if delivered {
			return
		}
		j.land(now)
		if s := j.said(); s != nil && written != 0 {
			s.written = written
		}
	}
}

// Settled notes what has become of utterances.
func (m *Monitor) Settled(all []batcher.Settled) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	slots := m.history.both(now)
	for i := range all {
		if j := journeyOf(all[i].Utterance); j != nil {
			m.settle(now, slots, j, &all[i])
			all[i].Note = nil
			m.journeys.end(j)
		}
	}
}

// settle books the end of a journey. The lock is held.
func (m *Monitor) settle(now time.Time, slots [2]*slot, j *journey, s *batcher.Settled) {
	j.call.waiting--
	answered := stampOf(s.Answered)
	if said := j.said(); said != nil {
		said.answered = answered
		if s.Rejected != "" {
			said.more().rejected = s.Rejected
		} else if j.call.written != 0 {
			said.written = j.call.written
		}
	}
	if s.Rejected != "" {
		m.reject(now, s)
		for _, slot := range slots {
			slot.rejected++
		}
		return
	}
	spent := j.spent(answered, 0)
	speech := max(0, time.Duration(answered-j.spoken)-j.clock)
	m.meter.delivered(j.dialect, speech, &spent)
	deliver(slots, speech, answered.since(j.received), &spent)
}

// reject remembers a rejection, without a word of what was said. The lock is held.
func (m *Monitor) reject(now time.Time, s *batcher.Settled) {
	if len(m.rejected) == maxRejected {
		m.rejected = append(m.rejected[:0], m.rejected[1:]...)
	}
	m.rejected = append(m.rejected, Rejection{At: now.UTC(), Org: s.Org, Call: s.Call, MessageID: s.MessageID, Reason: s.Rejected})
}
