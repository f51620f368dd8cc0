package ingest

import (
	"net/http"
	"time"

	"example.com/steno/ingest/assembly"
	"example.com/steno/ingest/dialect"
)

// servePush is the door of a dialect's engines that push over HTTP. Each
// request stands alone: what it says is safe when it is answered, so nothing
// waits for pieces or better versions that may follow in another one. An end
// ends nothing either: another transcription of the call may follow.
func (s *Server) servePush(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r) {
		return
	}
	defer s.leave()
	received := time.Now()
	l, status, f := s.leg(r)
	if f != nil {
		writeFault(w, status, f)
		return
	}
	body, ok := s.body(w, r)
	if !ok {
		return
	}
	p, f := s.push(l, body, received)
	if f != nil {
		writeFault(w, http.StatusBadRequest, f)
		return
	}
	s.answerPost(w, p)
}

// push makes utterances of a body in a dialect.
func (s *Server) push(l *leg, body []byte, received time.Time) (*post, *fault) {
	decoder, err := l.dialect.New(dialect.Options{Values: l.values})
	if err != nil {
		return nil, invalid("%v", err)
	}
	var events []dialect.Event
	count := s.metrics.dialects[l.dialect.Name]
	if err := decoder.Decode(valid(body), func(e dialect.Event) { events = append(events, e) }); err != nil {
		count.ignored.Inc()
		return nil, invalid("the body: %v", err)
	}
	call, told := l.call, map[string]string(nil)
	for i := range events {
		e := &events[i]
		count.event(e)
		if call == "" {
			call = e.Call.Key
		}
		if e.Call.Channels != nil {
			told = e.Call.Channels
		}
	}
	call, f := callKey("call", given(call))
	if f != nil {
		return nil, f
	}
	o := l.opening(call)
	o.id.ID = "" // a request belongs to no stream
	p := &post{call: callKeyOf{o.id.Org, o.call}}
	a := assembly.New(assembly.Source{
		Call: call, Dialect: l.dialect.Name, Leg: l.name(), Nonce: newEpoch(), Start: l.start,
	}, func(assembly.Piece) bool { return false })
	for i := range events {
		a.Take(&events[i], received)
	}
	a.Flush()
	for _, u := range a.Ready(received) {
		p.records = append(p.records, l.records(&u, o, told, s.cfg.MaxContent)...)
		count.utterances.Inc()
	}
	return p, nil
}

// event counts an event that brings no words.
func (c dialectCounters) event(e *dialect.Event) {
	switch e.Kind {
	case dialect.Partial:
		c.partials.Inc()
	case dialect.Revision:
		c.revisions.Inc()
	case dialect.Unknown:
		c.ignored.Inc()
	case dialect.Failure:
		c.failures.Inc()
	}
}
