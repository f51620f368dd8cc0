package dialect

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// audioCodes reads the WebSocket form of AudioCodes' bot API, as its VoiceAI
// Connect and a recogniser that plays the bot speak it. Read in ac-bot-api@c81e45f
// and techdocs.audiocodes.com/voice-ai-connect.
//
// session.initiate names the conversation, which is the session, and resume
// goes on with it. The recogniser says hypothesis and recognition, of a
// participant in agent assist, else of the caller; committed says that the
// turn is over. There are no times and no ids. Audio flows the other way, in
// chunks. Some bridges write text in place of alternatives, and participantId
// in place of participant.
type audioCodes struct{ partials bool }

func newAudioCodes(o Options) (Decoder, error) { return audioCodes{o.Partials}, nil }

func (d audioCodes) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	e := Event{Kind: Noise, Session: label(o.Get("conversationId"))}
	switch kind := o.Get("type").Str; kind {
	case "session.initiate", "session.resume":
		e.Kind, e.Call = Begin, callOf(o.Get("parameters"), e.Session)
	case "userStream.speech.hypothesis":
		if e = audioCodesWords(Partial, e, o); !d.partials {
			return nil
		}
	case "userStream.speech.recognition":
		e = audioCodesWords(Final, e, o)
	case "userStream.speech.committed":
		e = audioCodesWords(Boundary, e, o)
		e.Text = ""
	case "session.end":
		e.Kind = End
	case "session.error":
		e.Kind, e.Text = Failure, speech(label(field(o, "reason", "description", "message", "reasonCode")))
	case "userStream.chunk", "playStream.chunk":
		return fmt.Errorf("%s: %w", kind, ErrAudio)
	default:
		if !audioCodesKnows(kind) {
			e.Kind = Unknown
		}
	}
	emit(e)
	return nil
}

// audioCodesKnows says whether a message is one of those without transcripts.
func audioCodesKnows(kind string) bool {
	for _, known := range []string{"session.", "connection.", "userStream.", "playStream.", "activities"} {
		if strings.HasPrefix(kind, known) {
			return true
		}
	}
	return false
}

func audioCodesWords(kind Kind, e Event, o gjson.Result) Event {
	e.Kind = kind
	e.Channel = label(field(o, "participant", "participantId"))
	e.Text = speech(field(o, "alternatives.0.text", "text").Str)
	return e
}

// Finish has nothing to say: no words are held back.
func (audioCodes) Finish(func(Event)) {}
