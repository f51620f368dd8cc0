package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// gladia reads the messages of Gladia's v2 live API, from its WebSocket or its
// HTTP callback, which wraps each as {id, event, payload}.
// Read in npm @gladiaio/sdk 2.1.0 dist/v2/live/generated-types.d.ts and
// docs.gladia.io/asyncapi.yaml.
//
// A transcript with is_final is an utterance. session_id, channel and data.id
// name it, partial and final alike. After the end come messages that begin
// with post_ and hold the whole call again: they are ignored, like the addons.
type gladia struct{ partials bool }

func newGladia(o Options) (Decoder, error) { return &gladia{o.Partials}, nil }

func (d *gladia) Decode(frame []byte, emit func(Event)) error {
	if !d.partials && gjson.GetBytes(frame, "data.is_final").Type == gjson.False {
		return nil
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	session := o.Get("session_id").Str
	if payload := o.Get("payload"); told(o.Get("event")) && payload.IsObject() {
		session = first(payload.Get("session_id"), o.Get("id"))
		o = payload
	}
	if e := gladiaEvent(o); e.Kind != Partial || d.partials {
		e.Session = session
		emit(e)
	}
	return nil
}

func gladiaEvent(o gjson.Result) Event {
	data, fault := o.Get("data"), o.Get("error")
	kind := o.Get("type").Str
	switch {
	case o.Get("acknowledged").Type == gjson.False, fault.IsObject(), kind == "error":
		return Event{Kind: Failure, Text: complaint(fault.Get("status_code"), fault.Get("exception"), fault.Get("message"), o.Get("message"))}
	case kind == "transcript":
		return gladiaTranscript(data)
	case kind == "speech_end":
		return Event{Kind: Boundary, Channel: label(data.Get("channel")), End: in(seconds, data.Get("time"))}
	case kind == "start_session":
		return Event{Kind: Begin}
	case kind == "end_recording", kind == "end_session":
		return Event{Kind: End}
	case gladiaNoise(kind):
		return Event{Kind: Noise}
	}
	return Event{Kind: Unknown}
}

func gladiaTranscript(data gjson.Result) Event {
	u := data.Get("utterance")
	e := Event{
		Kind:    Partial,
		ID:      label(data.Get("id")),
		Channel: label(u.Get("channel")),
		Speaker: label(u.Get("speaker")),
		Text:    speech(u.Get("text").Str),
	}
	if yes(data.Get("is_final")) {
		e.Kind = Final
	}
	e.Start, e.End = ordered(in(seconds, u.Get("start")), in(seconds, u.Get("end")))
	return e
}

// gladiaNoise knows acknowledgements, addons, and what repeats the call.
func gladiaNoise(kind string) bool {
	switch kind {
	case "speech_start", "audio_chunk", "start_recording", "stop_recording",
		"translation", "named_entity_recognition", "sentiment_analysis":
		return true
	}
	return strings.HasPrefix(kind, "post_")
}

// Finish has nothing to add: a partial transcript may still change.
func (d *gladia) Finish(func(Event)) {}
