package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// soniox reads the answers of Soniox's real-time API.
// Read in npm @soniox/speech-to-text-web 1.4.0 dist/types.d.ts and
// soniox.com/docs/stt/rt/real-time-transcription, …/endpoint-detection.
//
// Tokens are parts of words that bring their white space along. Each final one
// is sent once; the tail of those that are not is replaced with every frame.
// The tokens <end> and <fin> end the utterance. They come only where the
// client asked for them, so a change of speaker and a gap end it too.
// Translations are dropped. There is no channel, no session, and no id.
type soniox struct {
	partials bool
	floor    floor
	open     bool  // final tokens came since the last utterance ended
	end      int64 // of the last final token, ms
}

// sonioxGap is the silence between two tokens that ends an utterance.
const sonioxGap = 1000

func newSoniox(o Options) (Decoder, error) { return &soniox{partials: o.Partials}, nil }

func (d *soniox) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	failed, finished := o.Get("error_code"), yes(o.Get("finished"))
	tokens := o.Get("tokens")
	known := tokens.IsArray() || finished
	if tokens.IsArray() {
		d.tokens(tokens, emit)
	}
	switch kind := o.Get("type").Str; {
	case told(failed):
		emit(Event{Kind: Failure, Text: complaint(failed, o.Get("error_message"))})
	case finished:
		emit(Event{Kind: End})
	case kind == "keepalive", kind == "finalize", told(o.Get("model")):
		emit(Event{Kind: Noise}) // sent to the engine
	case !known:
		emit(Event{Kind: Unknown})
	}
	return nil
}

// tokens says final tokens as pieces, one for each speaker, and the tail as a
// partial.
func (d *soniox) tokens(tokens gjson.Result, emit func(Event)) {
	var piece, tail []word
	for t := range objects(tokens) {
		w := word{
			text:    t.Get("text").Str,
			start:   in(milliseconds, t.Get("start_ms")),
			end:     in(milliseconds, t.Get("end_ms")),
			speaker: label(t.Get("speaker")),
		}
		final := yes(t.Get("is_final"))
		switch {
		case w.text == "" || t.Get("translation_status").Str == "translation":
		case sonioxEnds(w.text):
			if final {
				emit(sonioxSays(Final, piece))
				piece, d.open = nil, false
			}
		case !final:
			tail = append(tail, w)
		default:
			if d.breaks(w) {
				d.flush(piece, emit)
				piece = nil
				emit(Event{Kind: Boundary})
			}
			piece = append(piece, w)
			d.open = true
		}
	}
	d.flush(piece, emit)
	if d.partials && len(tail) > 0 {
		emit(sonioxSays(Partial, tail))
	}
}

// breaks says whether an utterance that is open ends before a final token.
func (d *soniox) breaks(w word) bool {
	start, known := w.start.Offset()
	breaks := d.floor.passes(w.speaker) || known && start-d.end > sonioxGap
	if end, known := w.end.Offset(); known {
		d.end = end
	}
	return breaks && d.open
}

// sonioxEnds says whether a token is one that nobody says: endpoint
// detection's, or the answer to a manual finalize.
func sonioxEnds(text string) bool {
	text = strings.TrimSpace(text)
	return text == "<end>" || text == "<fin>"
}

func (d *soniox) flush(piece []word, emit func(Event)) {
	if len(piece) > 0 {
		emit(sonioxSays(Piece, piece))
	}
}

func sonioxSays(kind Kind, tokens []word) Event {
	e := Event{Kind: kind, Glued: true, Text: sentence(tokens, ""), Speaker: speaker(tokens)}
	e.Start, e.End = span(tokens)
	return e
}

// Finish has nothing to add: the tail may still change.
func (d *soniox) Finish(func(Event)) {}
