package dialect

import (
	"fmt"
	"strings"
)

// whisperStreaming reads the lines of a whisper_streaming server, "4910 6410
// My parcel": when the words begin and end, in ms from the start, and the
// words. Read in ufal/whisper_streaming@1f25a1a whisper_online_server.py.
//
// The server speaks raw TCP to one client at a time, so a relay brings its
// lines, one or several a frame. It says only what it has confirmed, in groups
// of words that do not overlap, and nothing of utterances, channels, speakers,
// ids or its end. What it had not confirmed at the end is not said at all.
type whisperStreaming struct{}

func newWhisperStreaming(Options) (Decoder, error) { return whisperStreaming{}, nil }

func (whisperStreaming) Decode(frame []byte, emit func(Event)) error {
	bad, n := 0, 0
	text := strings.TrimSpace(strings.ToValidUTF8(string(frame), "\uFFFD"))
	for line := range strings.Lines(text + "\n") {
		n++
		e, ok := whisperLine(strings.TrimSpace(line))
		switch {
		case n > 1 && strings.TrimSpace(line) == "":
		case ok && e.Text != "":
			emit(e)
		case !ok && bad == 0:
			bad = n
		}
	}
	if bad > 0 {
		return fmt.Errorf("%w: line %d must be a start and an end in ms and words, with spaces between", ErrFrame, bad)
	}
	return nil
}

func whisperLine(line string) (e Event, ok bool) {
	start, rest, _ := strings.Cut(line, " ")
	end, text, _ := strings.Cut(strings.TrimSpace(rest), " ")
	from, ok1 := decimal(start, milliseconds)
	to, ok2 := decimal(end, milliseconds)
	e = Event{Kind: Piece, Text: speech(text)}
	if from >= 0 {
		e.Start = Offset(from)
	}
	if to >= 0 {
		e.End = Offset(to)
	}
	return e.ordered(), ok1 && ok2
}

// Finish has nothing to say: no words are held back.
func (whisperStreaming) Finish(func(Event)) {}
