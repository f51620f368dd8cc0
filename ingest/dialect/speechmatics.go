package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// speechmatics reads the answers of Speechmatics' real-time API.
// Read in speechmatics-js-sdk@7b0ee29 packages/real-time-client/models.
//
// AddTranscript will not change, but holds a group of words, not a sentence: a
// Piece, whose metadata.transcript brings its white space along. An utterance
// ends with EndOfUtterance, which before late 2025 named no channel and then
// means all (speechmatics/docs PR 144), with a result that is_eos, and where
// another speaker begins. Partials overlap only what is not final yet.
// RecognitionStarted's id is the session; there is no other id.
type speechmatics struct {
	partials bool
	session  string
	space    string // the language's, between words
	floors   channels[floor]
}

func newSpeechmatics(o Options) (Decoder, error) {
	return &speechmatics{partials: o.Partials, space: " ", floors: channels[floor]{}}, nil
}

func (d *speechmatics) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	switch o.Get("message").Str {
	case "AddTranscript":
		d.transcript(o, emit)
	case "AddPartialTranscript":
		if d.partials {
			e := d.event(Partial, o)
			e.Text = speech(e.Text)
			emit(e)
		}
	case "EndOfUtterance":
		emit(Event{Kind: Boundary, Session: d.session, Channel: label(o.Get("channel")), End: in(seconds, o.Get("metadata.end_time"))})
	case "RecognitionStarted":
		d.begin(o)
		emit(Event{Kind: Begin, Session: d.session})
	case "EndOfTranscript":
		emit(Event{Kind: End, Session: d.session})
	case "Error":
		emit(Event{Kind: Failure, Session: d.session, Text: complaint(o.Get("type"), o.Get("code"), o.Get("reason"))})
	case "AudioAdded", "ChannelAudioAdded", "Warning", "Info", "AddTranslation", "AddPartialTranslation",
		"AudioEventStarted", "AudioEventEnded", "SpeakersResult",
		"StartRecognition", "SetRecognitionConfig", "GetSpeakers", "EndOfChannel", "EndOfStream", "ForceEndOfUtterance":
		emit(Event{Kind: Noise})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *speechmatics) begin(o gjson.Result) {
	d.session = strings.Clone(o.Get("id").Str)
	clear(d.floors)
	if space := o.Get("language_pack_info.word_delimiter"); told(space) {
		d.space = strings.Clone(space.Str)
	}
}

// event is what both kinds of transcript tell.
func (d *speechmatics) event(kind Kind, o gjson.Result) Event {
	e := Event{Kind: kind, Session: d.session, Channel: label(o.Get("channel")), Text: o.Get("metadata.transcript").Str}
	e.Start, e.End = ordered(in(seconds, o.Get("metadata.start_time")), in(seconds, o.Get("metadata.end_time")))
	e.Speaker = speechmaticsSpeaker(o.Get("results.0"))
	return e
}

func (d *speechmatics) transcript(o gjson.Result, emit func(Event)) {
	whole := d.event(Piece, o)
	whole.Glued = true
	words := speechmaticsWords(o.Get("results"))
	if whole.Text == "" && len(words) == 0 {
		emit(Event{Kind: Noise})
		return
	}
	parts := speechmaticsParts(words)
	for i, part := range parts {
		e := whole
		if len(parts) > 1 || e.Text == "" {
			e.Text = sentence(part, d.space)
			e.Start, e.End = span(part)
		}
		// What was parted still joins what came before and what comes after.
		if lead, trail := edges(whole.Text); len(parts) > 1 && i == 0 {
			e.Text = lead + e.Text
		} else if len(parts) > 1 && i == len(parts)-1 {
			e.Text += trail
		}
		e.Speaker = speaker(part)
		if d.floors.at(e.Channel).passes(e.Speaker) {
			emit(Event{Kind: Boundary, Session: d.session, Channel: e.Channel})
		}
		emit(e)
		if len(part) > 0 && part[len(part)-1].closes {
			emit(Event{Kind: Boundary, Session: d.session, Channel: e.Channel, End: e.End})
		}
	}
}

// edges are the white space before and after a text.
func edges(text string) (lead, trail string) {
	head := strings.TrimLeft(text, " ")
	return text[:len(text)-len(head)], head[len(strings.TrimRight(head, " ")):]
}

// speechmaticsParts parts words by speaker, and where a sentence ends.
func speechmaticsParts(words []word) [][]word {
	var parts [][]word
	for _, part := range bySpeaker(words) {
		begin := 0
		for i := range part[:max(0, len(part)-1)] {
			if part[i].closes {
				parts = append(parts, part[begin:i+1])
				begin = i + 1
			}
		}
		parts = append(parts, part[begin:])
	}
	return parts
}

func speechmaticsWords(results gjson.Result) []word {
	var words []word
	for r := range objects(results) {
		attaches := r.Get("attaches_to").Str
		joins := len(words) > 0 && words[len(words)-1].joins
		words = append(words, word{
			text:    r.Get("alternatives.0.content").Str,
			start:   in(seconds, r.Get("start_time")),
			end:     in(seconds, r.Get("end_time")),
			speaker: speechmaticsSpeaker(r),
			joined:  joins || attaches == "previous" || attaches == "both",
			joins:   attaches == "next" || attaches == "both",
			closes:  yes(r.Get("is_eos")),
		})
	}
	return words
}

// speechmaticsSpeaker is S1, S2 and so on; UU is nobody known.
func speechmaticsSpeaker(result gjson.Result) string {
	if s := label(result.Get("alternatives.0.speaker")); s != "UU" {
		return s
	}
	return ""
}

// Finish has nothing to add: what is final has been said.
func (d *speechmatics) Finish(func(Event)) {}
