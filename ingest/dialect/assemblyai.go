package dialect

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// assemblyAI reads the answers of AssemblyAI's streaming API v3.
// Read in assemblyai-python-sdk@530eca5 assemblyai/streaming/v3/models.py,
// assemblyai.com/docs/streaming/message-sequence and …/streaming/webhooks.
//
// A turn is final with end_of_turn. Where the session formats its turns, the
// same turn_order ends twice, unformatted and formatted (livekit/agents PR
// 2485): the first is held. That a session formats is known from the option
// format_turns, from Begin, or once one turn was formatted. transcript holds
// final words only, utterance is a pause within the turn and no message of its
// own. Begin's id is the session, in which turn_order and times begin at 0.
//
// SpeakerRevision relabels turns that are final. A webhook brings all turns of
// a session again at its end.
type assemblyAI struct {
	partials bool
	formats  bool
	session  string
}

func newAssemblyAI(o Options) (Decoder, error) {
	d := &assemblyAI{partials: o.Partials}
	switch format := o.Values.Get("format_turns"); format {
	case "", "false":
	case "true":
		d.formats = true
	default:
		return nil, fmt.Errorf("format_turns is %q: it must be true or false", format)
	}
	return d, nil
}

func (d *assemblyAI) Decode(frame []byte, emit func(Event)) error {
	if !d.partials && gjson.GetBytes(frame, "end_of_turn").Type == gjson.False {
		return nil
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	switch o.Get("type").Str {
	case "Begin":
		d.enter(o.Get("id"))
		d.formats = d.formats || yes(o.Get("configuration.format_turns"))
		emit(Event{Kind: Begin, Session: d.session})
	case "Turn":
		d.turn(o, emit)
	case "SpeakerRevision":
		for r := range objects(o.Get("revisions")) {
			emit(Event{Kind: Revision, Session: d.session, ID: label(r.Get("turn_order")), Speaker: label(r.Get("speaker_label"))})
		}
	case "Termination":
		emit(Event{Kind: End, Session: d.session})
	case "Error":
		emit(Event{Kind: Failure, Session: d.session, Text: complaint(o.Get("error_code"), o.Get("error"))})
	case "SpeechStarted", "Warning", "Heartbeat", "LLMGatewayResponse", "UpdateConfiguration", "ForceEndpoint", "KeepAlive", "Terminate":
		emit(Event{Kind: Noise})
	case "":
		d.webhook(o, emit)
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *assemblyAI) enter(id gjson.Result) {
	if id.Str != "" {
		d.session = strings.Clone(id.Str)
	}
}

// webhook reads {session_id, messages[Turn…]}, sent once after a session.
func (d *assemblyAI) webhook(o gjson.Result, emit func(Event)) {
	turns := o.Get("messages")
	if !turns.IsArray() {
		emit(Event{Kind: Unknown})
		return
	}
	d.enter(o.Get("session_id"))
	for t := range objects(turns) {
		d.formats = d.formats || yes(t.Get("turn_is_formatted"))
	}
	for t := range objects(turns) {
		if t.Get("type").Str == "Turn" {
			d.turn(t, emit)
		}
	}
	emit(Event{Kind: End, Session: d.session})
}

func (d *assemblyAI) turn(o gjson.Result, emit func(Event)) {
	var words []word
	for w := range objects(o.Get("words")) {
		words = append(words, word{start: in(milliseconds, w.Get("start")), end: in(milliseconds, w.Get("end")), speaker: label(w.Get("speaker"))})
	}
	e := Event{Kind: Partial, Session: d.session, ID: label(o.Get("turn_order")), Text: speech(o.Get("transcript").Str)}
	if e.Speaker = label(o.Get("speaker_label")); e.Speaker == "" {
		e.Speaker = speaker(words)
	}
	e.Start, e.End = span(words)
	if yes(o.Get("end_of_turn")) {
		formatted := yes(o.Get("turn_is_formatted"))
		d.formats = d.formats || formatted
		e.Kind, e.Hold = Final, d.formats && !formatted
	}
	if e.Kind == Final || d.partials {
		emit(e)
	}
}

// Finish has nothing to add: a turn that has not ended may still go on.
func (d *assemblyAI) Finish(func(Event)) {}
