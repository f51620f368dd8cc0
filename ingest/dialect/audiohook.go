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
	entities := all.Array()
	if len(entities) == 0 {
		emit(e)
	}
	for _, entity := range entities {
		if kind := entity.Get("type").Str; kind == "transcript" {
			d.transcript(entity.Get("data"), e, emit)
		} else {
			e.Kind = Unknown
			emit(e)
		}
	}
}

func (d audioHook) transcript(data gjson.Result, e Event, emit func(Event)) {
	e.Kind = Partial
	if isSet(data.Get("isFinal")) {
		e.Kind = Final
	} else if !d.partials {
		return
	}
	e.ID, e.Channel = label(data.Get("id")), label(data.Get("channelId"))
	e.Start, e.End = isoSpan(data, data)
	said := field(data, `alternatives.0.interpretations.#(type=="display")`, "alternatives.0.interpretations.0")
	e.Text = speech(said.Get("transcript").Str)
	if tokens := said.Get("tokens").Array(); len(tokens) > 0 {
		first, last := tokens[0], tokens[len(tokens)-1]
		if !e.Start.Known() {
			e.Start, e.End = isoSpan(first, last)
		}
		if e.Text == "" {
			e.Text = tokenText(tokens)
		}
	}
	emit(e.ordered())
}

// isoSpan is from where first begins to where last ends.
func isoSpan(first, last gjson.Result) (start, end Instant) {
	if ms, ok := isoDuration(first.Get("offset").Str); ok {
		start = Offset(ms)
	}
	offset, ok1 := isoDuration(last.Get("offset").Str)
	length, ok2 := isoDuration(last.Get("duration").Str)
	if ok1 && ok2 {
		end = Offset(offset + length)
	}
	return start, end
}

func tokenText(tokens []gjson.Result) string {
	words := make([]string, len(tokens))
	for i, t := range tokens {
		words[i] = t.Get("value").Str
	}
	return speech(strings.Join(words, " "))
}

// Finish has nothing to say: no words are held back.
func (audioHook) Finish(func(Event)) {}
