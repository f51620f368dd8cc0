package dialect

// conversationRelay reads Twilio's ConversationRelay, whose frames Telnyx uses
// too. Read in twilio.com/docs/voice/conversationrelay/websocket-messages and
// developers.telnyx.com/api-reference/websockets/conversationrelay-websocket-channel.
//
// setup tells of the call and has the free-form customParameters; nothing
// repeats them. prompt is what the caller said; the agent's side never
// appears. With last false, which only partialPrompts=true brings, a prompt is
// unfinished. That the finished one holds it again is what its description
// suggests, and no document says. A prompt has no time, id or channel: what is
// sent again cannot be told from what is said again.
type conversationRelay struct{ partials bool }

func newConversationRelay(o Options) (Decoder, error) { return conversationRelay{o.Partials}, nil }

func (d conversationRelay) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	switch o.Get("type").Str {
	case "setup":
		emit(Event{Kind: Begin, Session: label(o.Get("sessionId")), Call: callOf(o.Get("customParameters"), label(o.Get("callSid")))})
	case "prompt":
		e := Event{Kind: Final, Text: speech(o.Get("voicePrompt").Str)}
		if last := o.Get("last"); told(last) && !yes(last) {
			e.Kind = Partial
		}
		if e.Kind == Final || d.partials {
			emit(e)
		}
	case "error":
		emit(Event{Kind: Failure, Text: speech(o.Get("description").Str)})
	case "end":
		emit(Event{Kind: End})
	case "interrupt", "dtmf", "info", "text", "play", "sendDigits", "language":
		emit(Event{Kind: Noise}) // the last four are what is sent to Twilio
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

// Finish has nothing to say: no words are held back.
func (conversationRelay) Finish(func(Event)) {}
