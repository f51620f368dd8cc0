package dialect

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// riva reads what NVIDIA Riva says: its gRPC answers as JSON, and the events of
// its realtime server, which bear OpenAI's names. Read in
// nvidia-riva/common@87a6b16 riva/proto/riva_asr.proto and
// python-clients@7f611ba riva/client/realtime.py.
//
// The gRPC form looks like Google's, but the times of words are int32
// milliseconds; without words a final has no start, and ends where the engine
// has processed the audio to (audioProcessed, in seconds). Defaults are left
// out, as JSON of proto3 does: no isFinal is false, speaker 0 is nobody. Field
// names come in both spellings. Confidence may be negative and is not read. A
// result may hold states of the pipeline and no words. id.value names the
// request, and with it the session; results have no ids.
//
// In the realtime form several results may bear one item_id, until one says
// is_last_result: what identifies them is item_id and start together.
type riva struct{ partials bool }

func newRiva(o Options) (Decoder, error) { return &riva{o.Partials}, nil }

func (d *riva) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	switch {
	case err != nil:
		return err
	case told(o.Get("type")):
		d.realtime(o, emit)
	case told(o.Get("results")):
		d.results(o, emit)
	case told(o.Get("error")):
		emit(Event{Kind: Failure, Text: speech(field(o, "error.message", "error").String())})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *riva) results(o gjson.Result, emit func(Event)) {
	none, session := true, label(o.Get("id.value"))
	for r := range objects(o.Get("results")) {
		none = false
		d.result(r, session, emit)
	}
	if none {
		emit(Event{Kind: Noise})
	}
}

func (d *riva) result(r gjson.Result, session string, emit func(Event)) {
	best := r.Get("alternatives.0")
	if !told(best) {
		emit(Event{Kind: Noise})
		return
	}
	e := Event{Kind: Partial, Text: speech(best.Get("transcript").Str), Session: session, Channel: label(field(r, "channelTag", "channel_tag"))}
	e.Start, e.End, e.Speaker = rivaWords(best.Get("words"))
	if yes(field(r, "isFinal", "is_final")) {
		e.Kind = Final
		if !e.End.Known() {
			e.End = in(seconds, field(r, "audioProcessed", "audio_processed"))
		}
	}
	if e.Kind == Final || d.partials {
		emit(e.ordered())
	}
}

// rivaWords is when words begin and end, and who says them, if it is one and
// the same.
func rivaWords(all gjson.Result) (start, end Instant, who string) {
	var words []word
	for w := range objects(all) {
		next := word{
			start:   in(milliseconds, field(w, "startTime", "start_time")),
			end:     in(milliseconds, field(w, "endTime", "end_time")),
			speaker: label(field(w, "speakerTag", "speaker_tag")),
		}
		if next.speaker == "0" {
			next.speaker = ""
		}
		words = append(words, next)
	}
	if start, end = span(words); len(bySpeaker(words)) == 1 {
		who = speaker(words)
	}
	return start, end, who
}

func (d *riva) realtime(o gjson.Result, emit func(Event)) {
	kind := o.Get("type").Str
	switch kind {
	case "conversation.created":
		emit(Event{Kind: Begin, Session: label(o.Get("conversation.id"))})
	case "conversation.item.input_audio_transcription.delta":
		if d.partials {
			emit(Event{Kind: Partial, Text: speech(o.Get("delta").Str), ID: label(o.Get("item_id"))})
		}
	case "conversation.item.input_audio_transcription.completed":
		e := Event{Kind: Final, Text: speech(o.Get("transcript").Str), ID: label(o.Get("item_id"))}
		e.Start, e.End, e.Speaker = rivaWords(o.Get("words_info.words"))
		if ms, ok := e.Start.Offset(); ok && e.ID != "" {
			e.ID += "@" + strconv.FormatInt(ms, 10)
		}
		emit(e.ordered())
		if yes(o.Get("is_last_result")) {
			emit(Event{Kind: End})
		}
	case "conversation.item.input_audio_transcription.failed", "error":
		emit(Event{Kind: Failure, Text: speech(o.Get("error.message").Str)})
	default:
		emit(Event{Kind: otherOpenAI(kind)})
	}
}

// Finish has nothing to say: no words are held back.
func (d *riva) Finish(func(Event)) {}
