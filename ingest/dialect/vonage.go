package dialect

import (
	"fmt"
	"strings"
)

// vonage recognises Vonage's voice WebSocket, which carries audio and no text.
// Its first frame is text that tells the audio's format, and the headers that
// were chosen for the connection: {"event":"websocket:connected",
// "content-type":"audio/l16;rate=16000",…}. That is from memory.
type vonage struct{}

func newVonage(Options) (Decoder, error) { return vonage{}, nil }

func (vonage) Decode(frame []byte, emit func(Event)) error {
	if isBinary(frame) {
		return ErrAudio
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	switch kind := o.Get("event").Str; {
	case kind == "websocket:connected":
		return fmt.Errorf("%s: %w", kind, ErrAudio)
	case strings.HasPrefix(kind, "websocket:"):
		emit(Event{Kind: Noise})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

// Finish has nothing to say.
func (vonage) Finish(func(Event)) {}
