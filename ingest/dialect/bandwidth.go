package dialect

import "github.com/tidwall/gjson"

// bandwidth reads what Bandwidth's <StartTranscription> pushes to a WebSocket.
// Read in Bandwidth/api-docs site/docs/voice/bxml/startTranscription.mdx. The
// recogniser is Amazon's.
//
// start tells the call, the transcription, which is the session, and
// customParams, the free-form slot; its table spells realtimetranscriptionid
// otherwise than its example. transcription repeats none of that: it has a
// track, text, and times of the world. The documented example of those is
// malformed; then the items' times count, else none. Utterances have no ids.
type bandwidth struct{ partials bool }

func newBandwidth(o Options) (Decoder, error) { return bandwidth{o.Partials}, nil }

func (d bandwidth) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	metadata := o.Get("metadata")
	session := label(field(metadata, "realtimeTranscriptionId", "realtimetranscriptionid"))
	switch kind := o.Get("eventType").Str; kind {
	case "start":
		call := callOf(field(o, "customParams", "metadata.customParams"), label(metadata.Get("callId")))
		emit(Event{Kind: Begin, Session: session, Call: call})
	case "transcription":
		d.transcription(o, emit)
	case "stop":
		emit(Event{Kind: End, Session: session})
	case "error":
		emit(Event{Kind: Failure, Text: speech(label(field(o, "message", "error", "description"))), Session: session})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d bandwidth) transcription(o gjson.Result, emit func(Event)) {
	e := Event{Kind: Final, Text: speech(o.Get("transcript").Str), Channel: label(o.Get("track"))}
	if yes(o.Get("isPartial")) {
		if !d.partials {
			return
		}
		e.Kind = Partial
	}
	e.Start, e.End = moment(o.Get("startTime")), moment(o.Get("endTime"))
	var words []word
	for item := range objects(o.Get("items")) {
		words = append(words, word{start: moment(item.Get("startTime")), end: moment(item.Get("endTime"))})
	}
	start, end := span(words)
	if !e.Start.Known() {
		e.Start = start
	}
	if !e.End.Known() {
		e.End = end
	}
	emit(e.ordered())
}

// Finish has nothing to say: no words are held back.
func (bandwidth) Finish(func(Event)) {}
