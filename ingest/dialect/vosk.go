package dialect

import "github.com/tidwall/gjson"

// vosk reads the answers of a Vosk server: one JSON object for each chunk of
// audio, {"partial":…} or {"text":…}, the latter once for each utterance.
// Read in vosk-server@c2e82f0 websocket/asr_server.py.
//
// There is no channel, no id, and no session; words carry times in seconds
// only where the client asked for them. With alternatives the first is the
// best. What clients send to the server (config, eof, reset), which a relay may
// forward by mistake, is noise.
type vosk struct {
	partials bool
	last     string // the last partial; its text would have become final
}

func newVosk(o Options) (Decoder, error) { return &vosk{partials: o.Partials}, nil }

func (d *vosk) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	switch text, alternatives := o.Get("text"), o.Get("alternatives"); {
	case told(o.Get("partial")):
		d.last = speech(o.Get("partial").Str)
		if d.partials {
			emit(Event{Kind: Partial, Text: d.last})
		}
	case told(text):
		d.last = ""
		emit(d.final(text, o.Get("result")))
	case told(alternatives):
		d.last = ""
		emit(d.final(alternatives.Get("0.text"), alternatives.Get("0.result")))
	case told(o.Get("config")), told(o.Get("eof")), told(o.Get("reset")):
		emit(Event{Kind: Noise})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *vosk) final(text, words gjson.Result) Event {
	e := Event{Kind: Final, Text: speech(text.Str)}
	e.Start, e.End = span(timedWords(words))
	return e
}

// Finish promotes the last partial: a server that is cut off says no more.
func (d *vosk) Finish(emit func(Event)) {
	if d.last != "" {
		emit(Event{Kind: Final, Text: d.last})
		d.last = ""
	}
}
