package assembly

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"example.com/steno/ingest/dialect"
)

const (
	gap      = 1_000            // ms of silence between two pieces: A2
	idle     = 3 * time.Second  // without words: A2. Engines send finals of flowing speech every 3 s or so
	maxTurn  = 30 * time.Second // of speech, and of arrival: A2
	maxBytes = 2_000            // of text: A2
	hold     = 1500 * time.Millisecond
	maxHeld  = 64 // closed utterances that wait: A4
	maxLanes = 64 // channels that are remembered: A8
)

// Assembler is one source's pieces on their way to becoming utterances.
//
//	A1  a piece joins the turn that is open on its channel, or opens one
//	A2  an open turn is closed by the engine's Final, whose words it takes in
//	    first; by a Boundary, unless that tells of a time before the end of the
//	    newest piece: then it was late and means words before these; by another
//	    speaker; by a piece that begins more than gap after the newest one, or
//	    that would make it longer than maxTurn or maxBytes; when no words have
//	    arrived for idle, or it has been open for maxTurn; by a new session or
//	    the end of one; by a Flush
//	A3  what is closed leaves in the order of closing
//	A4  a Final that may be bettered is kept back for hold, and with it
//	    what is closed behind it on its channel; not while more than maxHeld
//	    wait
//	A5  a piece under an engine's own id that is still here is replaced by its
//	    later version; where that may not be bettered, A4 is over
//	A6  a text without words brings nothing, but does what its kind does; one
//	    that is glued, such as a full stop, joins an open turn
//	A7  a piece that is here already, or that taken knows, is dropped; taken is
//	    asked again when a turn leaves, as another source may have been faster
//	A8  of more than maxLanes channels all are flushed and forgotten
type Assembler struct {
	namer  namer
	taken  func(Piece) bool
	begun  bool   // a session has been named
	clock  *clock // of channels that have not spoken
	lanes  map[string]*lane
	closed []*turn
}

// lane is one channel.
type lane struct {
	open    *turn // nil: none
	clock   *clock
	highest int64 // the largest offset at which words have begun in the clock's run
	until   int64 // when the channel's last utterance ended, in ms since the epoch
}

// New returns an assembler of a source's words. taken tells whether a piece
// was taken before, by whomever.
func New(s Source, taken func(Piece) bool) *Assembler {
	return &Assembler{
		namer: newNamer(s), taken: taken,
		clock: &clock{zero: s.Start, given: s.Start != 0}, lanes: map[string]*lane{},
	}
}

// Session is the engine's session in which words are named now.
func (a *Assembler) Session() string { return a.namer.session }

// Take takes in an event that arrived at a time.
func (a *Assembler) Take(e *dialect.Event, at time.Time) {
	a.session(e)
	switch e.Kind {
	case dialect.Partial:
		a.hear(e, at)
	case dialect.Piece, dialect.Final:
		a.words(e, at)
	case dialect.Boundary:
		a.boundary(e)
	case dialect.End:
		a.Flush()
	}
}

// session begins a new run of the clock where the engine names a new session
// (A2, T3).
func (a *Assembler) session(e *dialect.Event) {
	if e.Session != "" && e.Session != a.namer.session {
		if a.begun {
			a.Flush()
			a.clock = &clock{}
			clear(a.lanes)
		}
		a.namer.session = strings.Clone(e.Session) // not the frame that it is part of
	}
	a.begun = a.begun || e.Session != ""
	if ms, ok := e.Start.Absolute(); ok && e.Kind == dialect.Begin && !a.clock.given && plausible(ms) {
		a.clock.zero, a.clock.given = ms, true
	}
}

// hear notes that somebody is speaking: a turn is not idle then.
func (a *Assembler) hear(e *dialect.Event, at time.Time) {
	l := a.lanes[e.Channel]
	if l == nil || wordless(e.Text) {
		return
	}
	if l.open != nil {
		l.open.heard = at
	}
	if start, ok := e.Start.Offset(); !ok || start+restart >= l.highest { // else the clock has started over
		l.clock.observe(e, at)
	}
}

// words takes in what stands.
func (a *Assembler) words(e *dialect.Event, at time.Time) {
	l := a.lane(e.Channel)
	if !wordless(e.Text) || e.Glued && e.Text != "" && l.open != nil { // A6
		p := Piece{
			ID: a.namer.name(e, l.clock.run), Text: strings.Clone(e.Text), named: e.ID != "", glued: e.Glued,
			start: e.Start, end: e.End, clock: l.clock, at: at,
		}
		if t := a.replace(p, e.Hold); t != nil && t != l.open {
			return // a better version of a turn that was closed before
		} else if t == nil && !a.known(l, e, &p) {
			a.join(l, e, p)
		}
	}
	if e.Kind == dialect.Final && l.open != nil {
		if e.Hold && len(a.closed) < maxHeld {
			l.open.held = at.Add(hold)
		}
		a.close(l)
	}
}

// known tells a piece that was taken before from a new one, which may be the
// first of a run of the engine's clock: then p is that run's (T3). Words that
// were taken before count for the runs too, which must be numbered the same
// when an engine's words come again. Channels of one source share their runs.
func (a *Assembler) known(l *lane, e *dialect.Event, p *Piece) bool {
	start, ok := e.Start.Offset()
	if !ok {
		start, ok = e.End.Offset()
	}
	known := a.taken(*p)
	if ok && !known && start+restart < l.highest {
		a.close(l)
		if l.clock.next == nil {
			l.clock.next = &clock{run: l.clock.run + 1}
		}
		l.clock, l.highest, a.clock = l.clock.next, start, l.clock.next
		if p.clock = l.clock; !p.named {
			p.ID = a.namer.name(e, l.clock.run) // may be taken too: A7 asks again
		}
	}
	if ok {
		l.highest = max(l.highest, start)
	}
	l.clock.observe(e, p.at)
	return known
}

// replace puts a piece in the place of its earlier version, if that is still
// here, and returns the turn that it was found in (A5, A7).
func (a *Assembler) replace(p Piece, held bool) *turn {
	for t := range a.here() {
		old := t.find(p.ID)
		if old == nil {
			continue
		}
		if p.named {
			t.bytes += len(p.Text) - len(old.Text)
			*old = p
		}
		if !held {
			t.held = time.Time{}
		}
		return t
	}
	return nil
}

// here is all turns that have not left.
func (a *Assembler) here() iter.Seq[*turn] {
	return func(yield func(*turn) bool) {
		for _, t := range a.closed {
			if !yield(t) {
				return
			}
		}
		for _, l := range a.lanes {
			if l.open != nil && !yield(l.open) {
				return
			}
		}
	}
}

// join puts a new piece into its channel's turn.
func (a *Assembler) join(l *lane, e *dialect.Event, p Piece) {
	if l.open != nil && (l.open.speaker != e.Speaker && !wordless(p.Text) || l.open.parted(&p)) {
		a.close(l)
	}
	if l.open == nil {
		l.open = &turn{channel: strings.Clone(e.Channel), speaker: strings.Clone(e.Speaker), began: p.at}
	}
	l.open.add(p)
}

// parted is true where p cannot be the same turn's: by silence or by length.
func (t *turn) parted(p *Piece) bool {
	if t.bytes+len(p.Text) > maxBytes {
		return true
	}
	start, ok := since(p.start, t.newest().end)
	long, known := since(p.end, t.pieces[0].start)
	return ok && start > gap || known && long > maxTurn.Milliseconds()
}

// since is the time from one instant to a later one of the same clock.
func since(later, earlier dialect.Instant) (ms int64, ok bool) {
	if l, ok := later.Offset(); ok {
		e, ok := earlier.Offset()
		return l - e, ok
	}
	if l, ok := later.Absolute(); ok {
		e, ok := earlier.Absolute()
		return l - e, ok
	}
	return 0, false
}

// boundary closes what an engine says is over.
func (a *Assembler) boundary(e *dialect.Event) {
	for _, l := range a.inOrder() {
		if e.Channel != "" && e.Channel != l.open.channel {
			continue
		}
		if behind, ok := since(l.open.newest().end, e.End); ok && behind > 0 {
			continue
		}
		a.close(l)
	}
}

// close puts a channel's turn in line to leave.
func (a *Assembler) close(l *lane) {
	if l.open != nil {
		a.closed = append(a.closed, l.open)
		l.open = nil
	}
}

// Flush closes all that is open, and ends all keeping back.
func (a *Assembler) Flush() {
	for _, l := range a.inOrder() {
		a.close(l)
	}
	for _, t := range a.closed {
		t.held = time.Time{}
	}
}

// inOrder is the channels with an open turn, the one that began first before
// the others.
func (a *Assembler) inOrder() []*lane {
	var open []*lane
	for _, l := range a.lanes {
		if l.open != nil {
			open = append(open, l)
		}
	}
	slices.SortFunc(open, func(a, b *lane) int {
		return cmp.Or(a.open.began.Compare(b.open.began), cmp.Compare(a.open.channel, b.open.channel))
	})
	return open
}

// Ready closes what is due at now and returns what may leave.
func (a *Assembler) Ready(now time.Time) []Utterance {
	for _, l := range a.inOrder() {
		if !l.open.due().After(now) {
			a.close(l)
		}
	}
	var left []Utterance
	blocked := map[string]bool{}
	a.closed = slices.DeleteFunc(a.closed, func(t *turn) bool {
		if blocked[t.channel] || t.held.After(now) {
			blocked[t.channel] = true // A4
			return false
		}
		if u, ok := a.finish(t); ok {
			left = append(left, u)
		}
		return true
	})
	return left
}

// Next is when Ready must be asked again; zero: not before something is taken
// in.
func (a *Assembler) Next() (next time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, l := range a.lanes {
		if l.open != nil {
			sooner(l.open.due())
		}
	}
	for _, t := range a.closed {
		sooner(t.held)
	}
	return next
}

// due is when a turn has been open for long enough.
func (t *turn) due() time.Time {
	quiet, long := t.heard.Add(idle), t.began.Add(maxTurn)
	if long.Before(quiet) {
		return long
	}
	return quiet
}

// finish makes a turn an utterance, unless all of it has been taken by others.
func (a *Assembler) finish(t *turn) (u Utterance, ok bool) {
	pieces := slices.DeleteFunc(t.pieces, a.taken) // A7
	if len(pieces) == 0 {
		return u, false
	}
	u = Utterance{Channel: t.channel, Speaker: t.speaker, Pieces: pieces, Text: text(pieces), Arrived: pieces[len(pieces)-1].at}
	l := a.lane(t.channel)
	u.Start, u.End = times(pieces, l.until)
	l.until = u.End
	return u, !wordless(u.Text)
}

// lane finds a channel, or begins it (A8).
func (a *Assembler) lane(channel string) *lane {
	l := a.lanes[channel]
	if l == nil {
		if len(a.lanes) >= maxLanes {
			a.Flush()
			clear(a.lanes)
		}
		l = &lane{clock: a.clock}
		a.lanes[strings.Clone(channel)] = l
	}
	return l
}
