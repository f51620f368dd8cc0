package dialect

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// twilioTranscription reads Twilio's Real-Time Transcription, which comes as
// HTTP POSTs of a form, or as an object of the same strings where a relay made
// one of it. Read in twilio.com/docs/voice/twiml/transcription.
//
// All values are strings: Final is "true" or "false", and TranscriptionData an
// object in a string. There are no times of the speech, only Timestamp, when
// it was transcribed: that is the end of a final. TranscriptionSid, the
// session, and CallSid stand in every message. SequenceId counts messages of
// all kinds in a session. Posts can overtake each other; they are given as
// they come, as nobody knows whether one is missing.
type twilioTranscription struct{ partials bool }

func newTwilioTranscription(o Options) (Decoder, error) { return twilioTranscription{o.Partials}, nil }

func (d twilioTranscription) Decode(frame []byte, emit func(Event)) error {
	value, err := twilioForm(frame)
	if err != nil {
		return err
	}
	if value("TranscriptionEvent") == "" {
		return fmt.Errorf("%w: it has no TranscriptionEvent", ErrFrame)
	}
	e := Event{Session: value("TranscriptionSid"), ID: value("SequenceId")}
	at := Instant{}
	if ms, ok := timestamp(value("Timestamp")); ok {
		at = Absolute(ms)
	}
	switch value("TranscriptionEvent") {
	case "transcription-started":
		e.Kind, e.ID, e.Start, e.Call = Begin, "", at, Call{Key: value("CallSid")}
	case "transcription-content":
		e.End = at
		return d.content(value, e, emit)
	case "transcription-stopped":
		e.Kind = End
	case "transcription-error":
		e.Kind, e.Text = Failure, strings.TrimSpace(value("TranscriptionErrorCode")+" "+value("TranscriptionError"))
	default:
		e.Kind = Unknown
	}
	emit(e)
	return nil
}

// twilioForm returns the values of a form, or of an object.
func twilioForm(frame []byte) (value func(string) string, err error) {
	if trimmed := bytes.TrimSpace(frame); len(trimmed) > 0 && trimmed[0] == '{' {
		o, err := object(trimmed)
		return func(name string) string { return o.Get(name).String() }, err
	}
	form, err := url.ParseQuery(string(frame))
	if err != nil {
		return nil, fmt.Errorf("%w: it must be a form (application/x-www-form-urlencoded)", ErrFrame)
	}
	return func(name string) string { return strings.ToValidUTF8(form.Get(name), "\uFFFD") }, nil
}

func (d twilioTranscription) content(value func(string) string, e Event, emit func(Event)) error {
	e.Kind, e.Channel = Partial, value("Track")
	if yes(gjson.Result{Type: gjson.String, Str: value("Final")}) {
		e.Kind = Final
	} else if !d.partials {
		return nil
	}
	data, err := object([]byte(value("TranscriptionData")))
	if err != nil {
		return fmt.Errorf("TranscriptionData is %w", err)
	}
	e.Text = speech(data.Get("transcript").Str)
	emit(e)
	return nil
}

// Finish has nothing to say: no words are held back.
func (twilioTranscription) Finish(func(Event)) {}
