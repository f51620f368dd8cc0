package dialect

import "fmt"

// mediaStreams recognises Twilio's Media Streams, which carry audio and no
// text, so that who connects them by mistake is told. Read in
// twilio.com/docs/voice/media-streams/websocket-messages: connected, start,
// media with audio in base64, stop, each numbered by a string.
type mediaStreams struct{}

func newMediaStreams(Options) (Decoder, error) { return mediaStreams{}, nil }

func (mediaStreams) Decode(frame []byte, emit func(Event)) error {
	if isBinary(frame) {
		return ErrAudio
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	e := Event{Kind: Unknown, Session: label(field(o, "streamSid", "start.streamSid"))}
	switch kind := o.Get("event").Str; kind {
	case "connected":
		e.Kind = Begin
	case "start":
		e.Kind, e.Call = Begin, callOf(o.Get("start.customParameters"), label(o.Get("start.callSid")))
	case "media":
		return fmt.Errorf("media: %w", ErrAudio)
	case "stop":
		e.Kind = End
	case "mark", "dtmf", "clear":
		e.Kind = Noise
	}
	emit(e)
	return nil
}

// Finish has nothing to say.
func (mediaStreams) Finish(func(Event)) {}
