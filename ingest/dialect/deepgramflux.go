package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// deepgramFlux reads the answers of Deepgram's /v2/listen.
// Read in deepgram-python-sdk@7da415d src/deepgram/listen/v2/requests.
//
// A turn is final with the event EndOfTurn and no other: EagerEndOfTurn may be
// withdrawn by TurnResumed. request_id and turn_index name the words for ever.
// There is one channel.
type deepgramFlux struct {
	partials bool
	session  string
}

func newDeepgramFlux(o Options) (Decoder, error) { return &deepgramFlux{partials: o.Partials}, nil }

func (d *deepgramFlux) Decode(frame []byte, emit func(Event)) error {
	if !d.partials && fluxPartial(gjson.GetBytes(frame, "event").Str) {
		return nil
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	if id := o.Get("request_id").Str; id != "" && id != d.session {
		d.session = strings.Clone(id)
	}
	switch o.Get("type").Str {
	case "TurnInfo":
		d.turn(o, emit)
	case "Connected":
		emit(Event{Kind: Begin, Session: d.session})
	case "Error":
		emit(Event{Kind: Failure, Session: d.session, Text: complaint(o.Get("code"), o.Get("description"))})
	case "ConfigureSuccess", "ConfigureFailure", "Configure", "KeepAlive", "CloseStream":
		emit(Event{Kind: Noise})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *deepgramFlux) turn(o gjson.Result, emit func(Event)) {
	words := timedWords(o.Get("words"))
	e := Event{Kind: Unknown, Session: d.session, ID: label(o.Get("turn_index")), Text: speech(o.Get("transcript").Str), Speaker: speaker(words)}
	if e.Start, e.End = span(words); !e.Start.Known() {
		e.Start, e.End = ordered(in(seconds, o.Get("audio_window_start")), in(seconds, o.Get("audio_window_end")))
	}
	switch event := o.Get("event").Str; {
	case event == "EndOfTurn":
		e.Kind = Final
	case !fluxPartial(event):
		e = Event{Kind: Unknown}
	case d.partials:
		e.Kind = Partial
	default:
		return
	}
	emit(e)
}

func fluxPartial(event string) bool {
	switch event {
	case "Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed":
		return true
	}
	return false
}

// Finish has nothing to add: a turn that has not ended may still go on.
func (d *deepgramFlux) Finish(func(Event)) {}
