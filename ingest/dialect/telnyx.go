package dialect

// telnyx reads Telnyx's speech-to-text WebSocket, a proxy over Deepgram,
// Speechmatics and Soniox that flattens what they say. Read in
// developers.telnyx.com/docs/voice/stt/websocket-streaming.
//
// A message has no type, time, channel, id or session. is_final marks words
// that stand; where speech_final says that it does not end the utterance, it
// does not, and utterance_end says so later. Without speech_final each final
// ends its utterance.
type telnyx struct{ partials bool }

func newTelnyx(o Options) (Decoder, error) { return telnyx{o.Partials}, nil }

func (d telnyx) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	transcript, final := o.Get("transcript"), yes(o.Get("is_final"))
	more := told(o.Get("speech_final")) && !yes(o.Get("speech_final"))
	text := speech(transcript.Str)
	over := yes(o.Get("utterance_end"))
	switch problem := field(o, "errors.0.detail", "errors.0.title", "error.message", "error"); {
	case final && more && text == "":
		emit(Event{Kind: Noise})
	case final && more:
		emit(Event{Kind: Piece, Text: text})
	case final:
		emit(Event{Kind: Final, Text: text})
	case told(transcript) && d.partials:
		emit(Event{Kind: Partial, Text: text})
	case told(problem):
		emit(Event{Kind: Failure, Text: speech(problem.String())})
	case !over && !told(transcript):
		emit(Event{Kind: Unknown})
	}
	if over {
		emit(Event{Kind: Boundary})
	}
	return nil
}

// Finish has nothing to say: no words are held back.
func (telnyx) Finish(func(Event)) {}
