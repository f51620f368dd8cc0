package ingest

import (
	"errors"
	"hash/crc32"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest/assembly"
	"example.com/steno/ingest/dialect"
	"github.com/gorilla/websocket"
)

// engine is what speaks a dialect on a connection: its frames become events,
// the events utterances, and those steps of the connection's turn like any
// client's. It is answered nothing but what the dialect's own clients are, and
// has no seq: Steno counts its utterances.
//
//	E1  the URL names the call, else the engine's session does when it begins.
//	    Words, or a session's beginning, without either end the connection
//	E2  a stream is open from the connection's beginning, where the call is
//	    known; one that has ended is followed by another when there are words
//	    again
//	E3  the engine's end, or a normal close of the connection, is the stream's
//	    end; any other loss is not, and the next connection of the leg goes on
//	    with the stream
//	E4  whatever ends the connection, but for a spool that fails, what stands is
//	    made safe first
//	E5  a frame that waits for an answer leaves nothing under way
//	E6  what comes faster than Config.MaxRate is read no faster, and not refused:
//	    a relay that sends a session again does so at once, and an engine's words
//	    would be lost with the connection
type engine struct {
	c       *connection
	leg     *leg
	decoder dialect.Decoder
	count   dialectCounters
	nonce   string

	events []dialect.Event // of the frame; only the reader uses it
	failed bool            // the engine has told of a failure; only the reader uses it

	// Server.mu guards these.
	call      string // empty: not known
	told      map[string]string
	session   string              // as the call remembers it
	assembler *assembly.Assembler // of the call's words; nil: the call is not known
	opening   *opening            // of stream
	stream    *stream             // nil: none is open
	timer     *time.Timer         // looks at the assembler when something is due; nil: none was
}

// serveEngine is the WebSocket door of a dialect.
func (s *Server) serveEngine(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r) {
		return
	}
	c := s.connectEngine(w, r)
	if c == nil {
		s.leave()
		return
	}
	s.run(c)
}

// connectEngine makes the connection of an engine, or answers why there is none.
func (s *Server) connectEngine(w http.ResponseWriter, r *http.Request) *connection {
	l, status, f := s.leg(r)
	if f != nil {
		writeFault(w, status, f)
		return nil
	}
	decoder, err := l.dialect.New(dialect.Options{Values: l.values, Partials: true})
	if err != nil {
		writeFault(w, http.StatusBadRequest, invalid("%v", err))
		return nil
	}
	upgrader := s.upgrader
	upgrader.Subprotocols = []string{Subprotocol(websocket.Subprotocols(r), l.dialect.Subprotocols)}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Debug("websocket handshake refused", "error", err)
		return nil
	}
	c := s.newConnection(ws)
	c.engine = &engine{c: c, leg: l, decoder: decoder, count: s.metrics.dialects[l.dialect.Name], nonce: newEpoch()}
	return c
}

// stop ends the engine's timer, once its connection is over.
func (e *engine) stop() {
	e.c.server.mu.Lock()
	defer e.c.server.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
}

// take handles a frame. It returns false when the connection is closing.
func (e *engine) take(in incoming) (ok bool) {
	if in.kind == websocket.BinaryMessage && !isText(in.bytes) {
		e.c.close(closing{code: websocket.CloseUnsupportedData, text: "this frame is no text: Steno takes the text that a speech engine makes of audio"})
		return false
	}
	defer e.forget()
	err := e.decoder.Decode(valid(in.bytes), e.note)
	if errors.Is(err, dialect.ErrAudio) {
		e.c.close(closing{code: websocket.CloseUnsupportedData, text: dialect.ErrAudio.Error()})
		return false
	}
	if err != nil {
		e.count.ignored.Inc()
	}
	return e.takeEvents(in.at) && e.c.waitForRoom() && e.c.pace(in)
}

func (e *engine) note(event dialect.Event) { e.events = append(e.events, event) }

// forget lets go of a frame's events, which may keep all of it, and of their
// memory, if it is more than usual frames need.
func (e *engine) forget() {
	const usual = 64
	if clear(e.events); cap(e.events) > usual {
		e.events = nil
	}
	e.events = e.events[:0]
}

// takeEvents takes in the events of a frame.
func (e *engine) takeEvents(at time.Time) (ok bool) {
	reply := slices.ContainsFunc(e.events, func(event dialect.Event) bool { return event.Reply != nil })
	for i := range e.events {
		event := &e.events[i]
		e.tally(event)
		if !e.ready(event) || !e.takeEvent(event, at) {
			return false
		}
	}
	e.c.server.mu.Lock()
	defer e.c.server.mu.Unlock()
	if e.c.closing.code != 0 {
		return false // the stream may be another connection's by now
	}
	if reply { // E5
		e.flush()
	}
	for i := range e.events {
		if body := e.events[i].Reply; body != nil {
			e.c.owe(step{body: body})
		}
	}
	e.release(at)
	return true
}

// tally counts an event, and passes a partial on.
func (e *engine) tally(event *dialect.Event) {
	e.count.event(event)
	s := e.c.server
	switch {
	case event.Kind == dialect.Partial && s.cfg.OnPartial != nil && e.stream != nil && event.Text != "":
		who := e.leg.who(event.Channel, event.Speaker, e.opening.call, e.told)
		s.cfg.OnPartial(Partial{Stream: e.opening.id, Call: e.opening.call, Speaker: who.participantID, SenderType: who.senderType, Content: strings.Clone(event.Text)})
	case event.Kind == dialect.Failure && !e.failed:
		e.failed = true
		s.log.Warn("an engine reports a failure", "dialect", e.leg.dialect.Name, "call", e.call, "failure", event.Text)
	}
}

// ready sees to it that a stream is open for an event that needs one (E1, E2).
// It returns false when the connection is closing.
func (e *engine) ready(event *dialect.Event) (ok bool) {
	begins := event.Kind == dialect.Begin
	words := (event.Kind == dialect.Piece || event.Kind == dialect.Final) && event.Text != ""
	if !begins && !words {
		return true
	}
	call := e.leg.call
	if call == "" && begins && event.Call.Key != "" {
		var f *fault
		if call, f = callKey("the engine's name of the call", given(strings.Clone(event.Call.Key))); f != nil {
			return e.refuse(closeNotProtocol, f.text)
		}
	}
	if call == "" {
		call = e.call
	}
	if call == "" {
		return e.refuse(closeNotProtocol, "the call is not known: name it in the URL, ?call=<vendorCallKey>")
	}
	if org := event.Call.Org; org != "" && e.leg.values.Get("org") == "" && e.leg.org != "" && org != e.leg.org {
		return e.refuse(websocket.ClosePolicyViolation, unknownOrg(org).text)
	}
	if e.stream != nil && call == e.call {
		return true
	}
	return e.open(call)
}

func (e *engine) refuse(code int, text string) (ok bool) {
	e.c.close(closing{code: code, text: text})
	return false
}

// open opens a stream of a call, and lets go of another call's. The leg's older
// connection may be in the middle of an append, whose outcome must be known
// before its words are told from new ones.
func (e *engine) open(call string) (ok bool) {
	patience := time.NewTimer(takeoverWait)
	defer patience.Stop()
	for {
		older, ok := e.tryOpen(call)
		if older == nil {
			return ok
		}
		select {
		case <-older.released:
		case <-patience.C:
			return e.refuse(websocket.CloseTryAgainLater, "the leg's older connection is still storing what it said")
		}
	}
}

// tryOpen opens a stream if nobody is in the way, else returns the connection
// to wait for. ok is false when this connection is closing.
func (e *engine) tryOpen(call string) (older *connection, ok bool) {
	s := e.c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.c.closing.code != 0 {
		return nil, false
	}
	o := e.leg.opening(call)
	o.id = s.registry.vacancy(o.id, e.leg.session != "")
	known := s.registry.streams[o.id]
	if known == nil && len(s.registry.streams) >= s.cfg.MaxStreamsTotal {
		e.c.closeLocked(closing{code: websocket.CloseTryAgainLater, text: "too many streams"})
		return nil, false
	}
	if older := e.c.displace(known); older != nil {
		return older, true
	}
	if e.stream != nil {
		e.flush()
		e.leave(false)
	}
	e.opening, e.stream = o, e.c.own(o)
	if e.call != call {
		e.call, e.told, e.session = call, nil, ""
		e.assembler = assembly.New(e.source(), e.taken)
	}
	return nil, true
}

// source is where the words of the call come from. The lock is held.
func (e *engine) source() assembly.Source {
	source := assembly.Source{
		Call: e.call, Dialect: e.leg.dialect.Name, Leg: e.leg.name(),
		Session: e.stream.call.sessions[e.leg.name()], Start: e.leg.start,
	}
	if e.leg.session == "" {
		source.Nonce = e.nonce
	}
	return source
}

// takeEvent takes in one event.
func (e *engine) takeEvent(event *dialect.Event, at time.Time) (ok bool) {
	e.c.server.mu.Lock()
	defer e.c.server.mu.Unlock()
	if e.c.closing.code != 0 {
		return false
	}
	if e.stream == nil {
		return true
	}
	if event.Kind == dialect.Begin {
		if event.Call.Channels != nil {
			e.told = event.Call.Channels
		}
		if event.Call.Start != 0 && !event.Start.Known() {
			event.Start = dialect.Absolute(event.Call.Start)
		}
	}
	e.assembler.Take(event, at)
	if session := e.assembler.Session(); session != e.session {
		e.session = session
		e.stream.call.begin(e.leg.name(), session)
	}
	if event.Kind == dialect.End {
		e.release(at)
		e.leave(true)
	}
	return true
}

// over is the reader's last word: nothing can be read any more. Where the other
// side has said goodbye, nothing will follow either, and what the engine would
// have made final is (E3).
func (e *engine) over(err error) (ok bool) {
	done := websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseNoStatusReceived)
	if done {
		e.decoder.Finish(e.note)
		e.takeEvents(time.Now())
	}
	e.c.server.mu.Lock()
	defer e.c.server.mu.Unlock()
	if e.c.closing.code != 0 || e.c.left {
		return false
	}
	e.flush()
	if done && e.stream != nil {
		e.leave(true)
	}
	return false
}

// flush puts all that stands into the turn. The lock is held.
func (e *engine) flush() {
	if e.assembler != nil && !e.c.left {
		e.assembler.Flush()
		e.release(time.Now())
	}
}

// leave lets the stream go once the turn is safe: because it has ended, or until
// it is opened again. The lock is held.
func (e *engine) leave(end bool) {
	if end {
		e.c.server.registry.end(e.stream)
	}
	e.stream.leaving = true
	e.c.owe(step{stream: e.stream, upto: e.stream.received, end: end, leave: true, body: []byte{}})
	e.stream = nil
}

// due is the timer's: something has waited for long enough.
func (e *engine) due() {
	e.c.server.mu.Lock()
	defer e.c.server.mu.Unlock()
	if e.c.closing.code == 0 && !e.c.left {
		e.release(time.Now())
	}
}

// release puts into the turn what may leave the assembler, and has the timer
// look again. The lock is held.
func (e *engine) release(now time.Time) {
	if e.stream == nil {
		return
	}
	for _, u := range e.assembler.Ready(now) {
		e.keep(&u, now)
	}
	switch next := e.assembler.Next(); {
	case next.IsZero() && e.timer == nil:
	case next.IsZero():
		e.timer.Stop()
	case e.timer == nil:
		e.timer = time.AfterFunc(next.Sub(now), e.due)
	default:
		e.timer.Reset(next.Sub(now))
	}
}

// keep puts an utterance into the turn. The lock is held.
func (e *engine) keep(u *assembly.Utterance, now time.Time) {
	st, o, s := e.stream, e.opening, e.c.server
	for _, r := range e.leg.records(u, o, e.told, s.cfg.MaxContent) {
		r.Seq, r.Epoch = st.expected(), st.epoch
		st.offer(r.Seq)
		st.used = true
		t := e.c.current()
		t.records = append(t.records, r)
		e.c.owe(step{stream: st, upto: r.Seq, body: []byte{}})
		e.count.utterances.Inc()
	}
	for i := range u.Pieces {
		p := &u.Pieces[i]
		at, first := s.registry.remember(st.call, s.registry.hasher.hash(uuidOf(p.ID)), e.c.holder, now)
		if first {
			signal(s.wake)
		}
		s.registry.say(at, checksum(p.Text))
		t := e.c.current()
		t.ids = append(t.ids, at)
	}
}

// taken reports whether the call has a piece already, and counts what that
// means: a repeat, or a change that comes too late. The lock is held.
func (e *engine) taken(p assembly.Piece) bool {
	g := &e.c.server.registry
	id := g.hasher.hash(uuidOf(p.ID))
	if !g.seen(e.stream.call, id, e.c.holder) {
		return false
	}
	if g.revises(e.stream.call, id, checksum(p.Text)) {
		e.count.revisions.Inc()
	} else {
		e.c.server.metrics.duplicates.Inc()
	}
	return true
}

// checksum tells words from others. It is never 0.
func checksum(text string) uint32 { return crc32.ChecksumIEEE([]byte(text)) | 1 }

// records renders an utterance of an engine's. It bears the name of its first
// piece, and says which others it is made of. One that is larger than Salesforce may be given becomes several.
func (l *leg) records(u *assembly.Utterance, o *opening, told map[string]string, maxContent int) []*spool.Record {
	var records []*spool.Record
	id := u.Pieces[0].ID
	for i, content := range parts(u.Text, maxContent) {
		messageID := uuidOf(id)
		if i > 0 {
			messageID = uuid(append(id[:], byte(i>>8), byte(i)))
		}
		part := utterance{
			start: u.Start, end: u.End, speaker: l.who(u.Channel, u.Speaker, o.call, told),
			messageID: messageID, content: content, urgent: o.urgent,
		}
		records = append(records, part.record(o, messageID, u.Arrived))
	}
	for _, p := range u.Pieces[1:] {
		records[0].Also = append(records[0].Also, uuidOf(p.ID))
	}
	return records
}
