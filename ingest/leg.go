package ingest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest/dialect"
)

// maxNamed is how many channels, and how many speakers, a URL may name.
const maxNamed = 100

// leg is what the URL of a dialect's door says: one engine's words of one
// call, on one connection at a time.
type leg struct {
	dialect      dialect.Dialect
	org          string
	call, parent string // vendorCallKeys; call is empty where the engine must tell it
	start        int64  // time zero of the engine's offsets in ms since the epoch; 0: not known
	urgent       bool
	session      string            // the relay's name for a run of the engine
	channels     map[string]string // channel → sender type, or sender type:participantId; "": all that are not named
	speakers     map[string]string // the engine's label → the same
	values       url.Values
	trace        string // W3C traceparent of the request that connected
}

// leg reads the URL. status is what to answer a request with that has a fault.
func (s *Server) leg(r *http.Request) (l *leg, status int, f *fault) {
	d, f := s.dialect(r.PathValue("dialect"))
	switch {
	case f != nil:
		return nil, http.StatusNotFound, f
	case r.Method == http.MethodGet && !d.Socket:
		return nil, http.StatusMethodNotAllowed, invalid("%s pushes over HTTP: POST its messages here", d.Name)
	case r.Method == http.MethodPost && !d.Post:
		return nil, http.StatusMethodNotAllowed, invalid("%s speaks over a WebSocket: connect one here", d.Name)
	}
	l = &leg{dialect: d, org: s.cfg.Org, values: r.URL.Query(), trace: traceparent(given(r.Header.Get("Traceparent")))}
	return l, http.StatusBadRequest, l.read(s.cfg.Org)
}

func (s *Server) dialect(called string) (dialect.Dialect, *fault) {
	var names []string
	for _, d := range s.cfg.Dialects {
		if d.Name == called {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return dialect.Dialect{}, invalid("there is no dialect %s: there are %s", quoted(called), strings.Join(names, ", "))
}

func (l *leg) read(org string) (f *fault) {
	if asked := l.values.Get("org"); org != "" && asked != "" && asked != org {
		return unknownOrg(asked)
	}
	if l.values.Has("call") {
		if l.call, f = callKey("call", given(l.values.Get("call"))); f != nil {
			return f
		}
	}
	if l.values.Has("parent") {
		if l.parent, f = callKey("parent", given(l.values.Get("parent"))); f != nil {
			return f
		}
	}
	if l.values.Has("start") {
		if l.start, f = moment("start", number(l.values.Get("start"))); f != nil {
			return f
		}
	}
	if l.session, f = name("session", given(l.values.Get("session"))); f != nil {
		return f
	}
	switch urgent := l.values.Get("urgent"); urgent {
	case "", "false":
	case "true":
		l.urgent = true
	default:
		return invalid("urgent must be true or false, is %s", quoted(urgent))
	}
	if l.channels, f = l.named("channel"); f != nil {
		return f
	}
	l.speakers, f = l.named("speaker")
	return f
}

// named reads the parameters what.NAME=, and what= for all without a name.
func (l *leg) named(what string) (map[string]string, *fault) {
	specs := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(l.values)) {
		name, ok := strings.CutPrefix(key, what+".")
		switch {
		case key == what:
			name = ""
		case !ok:
			continue
		}
		if len(name) > maxName || len(specs) >= maxNamed {
			return nil, invalid("%s has a name of more than %d bytes, or there are more than %d", what, maxName, maxNamed)
		}
		if _, f := cast(l.values.Get(key), l.call); f != nil {
			return nil, f.within(key)
		}
		specs[name] = l.values.Get(key)
	}
	return specs, nil
}

// cast is who a sender type, or sender type:participantId, stands for in a
// call.
func cast(spec, call string) (speaker, *fault) {
	senderType, participantID, _ := strings.Cut(spec, ":")
	return speakerOf(given(participantID), given(senderType), call)
}

// name tells this leg from others of the call: by the relay's name for it, and
// by the channels that it speaks for.
func (l *leg) name() string {
	parts := []string{l.dialect.Name}
	if l.session != "" {
		parts = append(parts, l.session)
	}
	if len(l.channels) > 0 {
		names := slices.Sorted(maps.Keys(l.channels))
		if names[0] == "" {
			names[0], _, _ = strings.Cut(l.channels[""], ":")
		}
		parts = append(parts, strings.Join(names, ","))
	}
	return strings.Join(parts, "/")
}

// opening is the stream that the leg's words of a call belong to.
func (l *leg) opening(call string) *opening {
	o := &opening{id: spool.StreamID{Org: l.org, Call: call, ID: l.name()}, call: call, urgent: l.urgent, trace: l.trace}
	if l.parent != "" {
		o.call = l.parent
	}
	return o
}

// who says what an engine gives a channel and a label: what the URL says of the
// label, of the channel, of the only channel or of all, then what the engine
// told, then what the channel's name means, in this order.
func (l *leg) who(channel, label, call string, told map[string]string) speaker {
	for _, spec := range []string{
		l.speakers[label], l.channels[channel], l.only(channel), l.channels[""], told[channel], usual(channel),
	} {
		if who, f := cast(spec, call); f == nil {
			return who
		}
	}
	panic("BUG: a usual sender type is not one of Salesforce's")
}

// only is the one channel that the URL names, for an engine that names none.
func (l *leg) only(channel string) (spec string) {
	if channel == "" && len(l.channels) == 1 {
		for _, spec = range l.channels {
		}
	}
	return spec
}

// usual is what the names of channels mean that telephony systems use. An agent
// without a Salesforce user id goes under VIRTUAL_AGENT, as in Salesforce's
// own sender.
func usual(channel string) (senderType string) {
	switch strings.ToLower(channel) {
	case "agent", "internal", "outbound", "outbound_track", "human_agent", "virtual_agent", "system", "bot":
		return "VIRTUAL_AGENT"
	case "supervisor":
		return "SUPERVISOR"
	}
	return "END_USER"
}
