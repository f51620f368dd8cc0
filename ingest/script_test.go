package ingest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"example.com/steno/ingest"
	"example.com/steno/ingest/dialect"
)

// script is a dialect for tests: a frame holds events, one a line.
type script struct {
	last   string
	broken bool
}

// line is an event as the script has it.
type line struct {
	Kind, Text, Ch, Spk, ID, Session, Call, Org, Reply string
	Start, End, Began                                  *int64
	Hold                                               bool
	Channels                                           map[string]string
}

var scriptDialect = dialect.Dialect{
	Name: "script", Socket: true, Post: true, Subprotocols: []string{"ws.script.org"},
	New: func(o dialect.Options) (dialect.Decoder, error) {
		if o.Values.Has("odd") {
			return nil, fmt.Errorf("odd is %q, and nothing is", o.Values.Get("odd"))
		}
		return &script{}, nil
	},
}

var scripted = ingest.Config{Dialects: []dialect.Dialect{
	scriptDialect, {Name: "push", Post: true, New: scriptDialect.New}, {Name: "socket", Socket: true, New: scriptDialect.New},
}}

func (s *script) Decode(frame []byte, emit func(dialect.Event)) error {
	for l := range strings.Lines(string(frame)) {
		if strings.HasPrefix(l, "audio") {
			return fmt.Errorf("sounds: %w", dialect.ErrAudio)
		}
		var e line
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			return fmt.Errorf("%w: it is not valid JSON", dialect.ErrFrame)
		}
		s.emit(&e, emit)
	}
	return nil
}

func (s *script) emit(l *line, emit func(dialect.Event)) {
	kinds := []dialect.Kind{
		dialect.Partial, dialect.Piece, dialect.Final, dialect.Boundary, dialect.Revision,
		dialect.Begin, dialect.End, dialect.Failure, dialect.Noise,
	}
	e := dialect.Event{
		Kind: dialect.Unknown, Text: l.Text, Channel: l.Ch, Speaker: l.Spk, ID: l.ID, Hold: l.Hold, Session: l.Session,
		Call: dialect.Call{Key: l.Call, Org: l.Org, Channels: l.Channels},
	}
	if i := slices.IndexFunc(kinds, func(k dialect.Kind) bool { return k.String() == l.Kind }); i >= 0 {
		e.Kind = kinds[i]
	}
	if l.Start != nil {
		e.Start = dialect.Offset(*l.Start)
	}
	if l.Began != nil {
		e.Call.Start = *l.Began
	}
	if l.End != nil {
		e.End = dialect.Offset(*l.End)
	}
	if l.Reply != "" {
		e.Reply = []byte(l.Reply)
	}
	switch s.last = ""; e.Kind {
	case dialect.Partial:
		if s.last = e.Text; e.Text == "panic later" {
			s.last = ""
			s.broken = true
		}
	case dialect.Unknown:
		if l.Kind == "panic" {
			panic("the decoder's own fault")
		}
	}
	emit(e)
}

func (s *script) Finish(emit func(dialect.Event)) {
	if s.broken {
		panic("the decoder's own fault, at the end")
	}
	if s.last != "" {
		emit(dialect.Event{Kind: dialect.Final, Text: s.last})
	}
}
