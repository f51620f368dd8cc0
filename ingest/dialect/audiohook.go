package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// audioHook reads Genesys AudioHook: what the recogniser sends back to Genesys
// beside the audio it gets, as a relay tees it. Read in
// purecloudlabs/audiohook-reference-implementation@2871b01
// app/audiohook/src/protocol/{message,core,entities-transcript}.ts.
//
// An event holds entities, and an entity of type transcript one utterance of
// one channel: 0 is external, the customer; 1 is internal, the agent. Times are
// ISO durations, offset and duration, from the start of the session. The id of
// an utterance is a UUID, the same for its partial and its final. The id of the
// message is the session, and stands in every one. open tells of the call; one
// that probes the connection has a conversation of zeroes, which is none.
// customConfig is the free-form slot.
type audioHook struct{ partials bool }

func newAudioHook(o Options) (Decoder, error) { return audioHook{o.Partials}, nil }

func (d audioHook) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	e := Event{Kind: Noise, Session: label(o.Get("id"))}
	parameters := o.Get("parameters")
	switch kind := o.Get("type").Str; kind {
	case "event":
		d.entities(parameters.Get("entities"), e, emit)
		return nil
	case "open":
		e.Kind = Begin
		own := label(parameters.Get("conversationId"))
		if strings.Trim(own, "0-") == "" {
			own = ""
		}
		e.Call = callOf(parameters.Get("customConfig"), own)
	case "close", "disconnect":
		e.Kind = End
	case "error":
		e.Kind, e.Text = Failure, speech(label(parameters.Get("message")))
	case "opened", "closed", "ping", "pong", "update", "updated", "pause", "paused", "resume", "resumed", "discarded", "dtmf", "reconnect",
		"playback_started", "playback_completed":
	default:
		e.Kind = Unknown
	}
	emit(e)
	return nil
}

func (d audioHook) entities(all gjson.Result, e Event, emit func(Event)) {
	none := true
	for entity := range objects(all) {
		none = false
		if entity.Get("type").Str == "transcript" {
			d.transcript(entity.Get("data"), e, emit)
		} else {
			emit(Event{Kind: Unknown, Session: e.Session})
		}
	}
	if none {
		emit(e)
	}
}

func (d audioHook) transcript(data gjson.Result, e Event, emit func(Event)) {
	e.Kind = Partial
	if yes(data.Get("isFinal")) {
		e.Kind = Final
	} else if !d.partials {
		return
	}
	e.ID, e.Channel = label(data.Get("id")), label(data.Get("channelId"))
	e.Start, e.End = isoSpan(data)
	said := field(data, `alternatives.0.interpretations.#(type=="display")`, "alternatives.0.interpretations.0")
	e.Text = speech(said.Get("transcript").Str)
	tokens := hookTokens(said.Get("tokens"))
	if !e.Start.Known() {
		e.Start, e.End = span(tokens)
	}
	if e.Text == "" {
		e.Text = speech(sentence(tokens, " "))
	}
	emit(e.ordered())
}

func hookTokens(tokens gjson.Result) []word {
	var words []word
	for t := range objects(tokens) {
		w := word{text: t.Get("value").Str}
		w.start, w.end = isoSpan(t)
		words = append(words, w)
	}
	return words
}

// isoSpan is the time that an offset and a duration tell.
func isoSpan(o gjson.Result) (start, end Instant) {
	start = offsetOf(isoDuration(o.Get("offset").Str))
	if length, ok := isoDuration(o.Get("duration").Str); ok {
		end = start.Plus(length)
	}
	return start, end
}

// Finish has nothing to say: no words are held back.
func (audioHook) Finish(func(Event)) {}
