package dialect

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// openAI reads the transcription events of OpenAI's realtime API, which
// speaches, Azure and others speak too. Read in openai-python@e43b4224
// src/openai/types/realtime/*; .intermediate is Microsoft's.
//
// What is said in one turn is an item. Its words and its times come in
// separate events: they are joined by item_id. Times count from the start of
// the session; the start includes the padding before, the end the silence
// after. There is no channel. Item ids are unique by themselves. The session
// stands in no event that has words, and is not told.
//
//	R1  items leave in the order of the conversation, which is that of
//	    speech_started and of committed's previous_item_id. Their completions
//	    may come in another
//	R2  an item waits for those before it that are committed and neither
//	    completed nor failed, but for no other, and not at all where more than
//	    maxWaiting events wait or the audio is past the missing item by
//	    patience: a completion that is late comes late, and nothing is lost
//	R3  a diarised item comes as segments, and once more as a whole: what
//	    comes first of the two is taken, the other left
//	R4  at the end deltas that nothing completed are final, under a name of
//	    their own: on another connection the whole item may come yet
type openAI struct {
	partials bool
	items    []*openAIItem // in the order of the conversation, at most maxItems
	audio    int64         // how far the audio is, in ms
}

const (
	maxItems   = 32
	maxWaiting = 8
	patience   = 5_000   // ms of audio
	maxHeard   = 1 << 16 // bytes of an item's deltas that are remembered
	maxID      = 256     // bytes: an item with a longer name is not remembered
)

// openAIItem is what is known of an item. Items that are done stay for a
// while, so that their segments are not taken for new ones.
type openAIItem struct {
	id         string
	start, end Instant
	heard      []byte  // its deltas
	waiting    []Event // what it says, and could not be said yet
	awaited    bool    // R2: committed, and to be waited for
	segmented  bool    // R3
	done       bool    // completed or failed
}

func newOpenAI(o Options) (Decoder, error) { return &openAI{partials: o.Partials}, nil }

func (d *openAI) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	kind := o.Get("type").Str
	switch kind {
	case "session.created", "transcription_session.created":
		d.Finish(emit)
		d.audio = 0
		emit(Event{Kind: Begin})
	case "input_audio_buffer.speech_started":
		d.item(o).start = d.heardUntil(o.Get("audio_start_ms"))
		emit(Event{Kind: Noise})
	case "input_audio_buffer.speech_stopped":
		it, end := d.item(o), d.heardUntil(o.Get("audio_end_ms"))
		it.end = end
		emit(Event{Kind: Boundary, End: end, ID: it.id})
	case "input_audio_buffer.committed":
		d.commit(o)
		emit(Event{Kind: Noise})
	case "error":
		emit(Event{Kind: Failure, Text: speech(o.Get("error.message").Str)})
	default:
		if step, ok := strings.CutPrefix(kind, "conversation.item.input_audio_transcription."); ok {
			d.transcription(step, o, emit)
		} else {
			emit(Event{Kind: otherOpenAI(kind)})
		}
	}
	d.release(emit)
	return nil
}

// otherOpenAI says of an event without transcription whether it is known: what
// the model answers, what clients send, and news of sessions and items.
func otherOpenAI(kind string) Kind {
	for _, known := range []string{"response.", "session.", "transcription_session.", "conversation.", "input_audio_buffer.", "output_audio_buffer.", "rate_limits."} {
		if strings.HasPrefix(kind, known) {
			return Noise
		}
	}
	return Unknown
}

// item finds the item that an event is about, or makes it.
func (d *openAI) item(o gjson.Result) *openAIItem {
	id := label(o.Get("item_id"))
	if id == "" || len(id) > maxID {
		return &openAIItem{id: id} // of this event only
	}
	if i := d.index(id); i >= 0 {
		return d.items[i]
	}
	it := &openAIItem{id: strings.Clone(id)}
	d.items = append(d.items, it)
	return it
}

func (d *openAI) index(id string) int {
	return slices.IndexFunc(d.items, func(it *openAIItem) bool { return it.id == id })
}

// heardUntil reads a time of the audio, and moves the clock of R2.
func (d *openAI) heardUntil(v gjson.Result) Instant {
	t := in(milliseconds, v)
	if ms, ok := t.Offset(); ok {
		d.audio = max(d.audio, ms)
	}
	return t
}

// commit gives an item its place (R1).
func (d *openAI) commit(o gjson.Result) {
	it := d.item(o)
	it.awaited = !it.done
	i, previous := d.index(it.id), d.index(label(o.Get("previous_item_id")))
	if i < 0 || previous < 0 || previous == i {
		return
	}
	d.items = slices.Delete(d.items, i, i+1)
	if previous > i {
		previous--
	}
	d.items = slices.Insert(d.items, previous+1, it)
}

// transcription takes what is said of an item's words.
func (d *openAI) transcription(step string, o gjson.Result, emit func(Event)) {
	it := d.item(o)
	switch step {
	case "delta":
		it.hear(o.Get("delta").Str)
		d.partial(it, "", emit)
	case "intermediate":
		d.partial(it, o.Get("intermediate").Str, emit)
	case "segment":
		d.segment(it, o, emit)
	case "completed":
		d.complete(it, o, emit)
	case "failed":
		it.done, it.heard = true, nil
		emit(Event{Kind: Failure, Text: speech(o.Get("error.message").Str), ID: it.id})
	default:
		emit(Event{Kind: Unknown})
	}
	if d.index(it.id) < 0 {
		it.say(emit)
	}
}

func (d *openAI) partial(it *openAIItem, more string, emit func(Event)) {
	if d.partials {
		emit(Event{Kind: Partial, Text: speech(string(it.heard) + more), Start: it.start, ID: it.id})
	}
}

// segment takes what one speaker says within an item. The numbers of segments
// may begin anew with each item.
func (d *openAI) segment(it *openAIItem, o gjson.Result, emit func(Event)) {
	if it.done && !it.segmented {
		emit(Event{Kind: Noise}) // R3
		return
	}
	it.segmented, it.heard = true, nil
	e := Event{Kind: Final, Text: speech(o.Get("text").Str), Start: in(seconds, o.Get("start")), End: in(seconds, o.Get("end")),
		Speaker: label(o.Get("speaker")), ID: it.id, Unique: true}
	if id := label(o.Get("id")); id != "" {
		e.ID += "/" + id
	}
	it.waiting = append(it.waiting, e.ordered().kept())
}

func (d *openAI) complete(it *openAIItem, o gjson.Result, emit func(Event)) {
	if it.done || it.segmented {
		it.done = true
		emit(Event{Kind: Noise}) // R3, or sent again
		return
	}
	e := Event{Kind: Final, Text: speech(o.Get("transcript").Str), Start: it.start, End: it.end, ID: it.id, Unique: true}
	if start, end, speaker := rivaWords(o.Get("words_info.words")); start.Known() {
		e.Start, e.End, e.Speaker = start, end, speaker
	}
	it.waiting = append(it.waiting, e.ordered().kept())
	it.done, it.heard = true, nil
}

// release emits what need not wait (R1, R2), and forgets the oldest items.
func (d *openAI) release(emit func(Event)) {
	waiting := 0
	for _, it := range d.items {
		waiting += len(it.waiting)
	}
	held := false // something before is awaited
	for _, it := range d.items {
		if !held || waiting > maxWaiting {
			waiting -= len(it.waiting)
			it.say(emit)
		}
		if it.awaited && !it.done && !d.givenUp(it) {
			held = true
		}
	}
	for ; len(d.items) > maxItems; d.items = d.items[1:] {
		d.items[0].say(emit)
	}
}

// givenUp says whether an item is not to be waited for any longer.
func (d *openAI) givenUp(it *openAIItem) bool {
	end, ok := it.end.Offset()
	return ok && d.audio > end+patience
}

func (it *openAIItem) hear(delta string) {
	if !it.done && len(it.heard)+len(delta) <= maxHeard {
		it.heard = append(it.heard, delta...)
	}
}

func (it *openAIItem) say(emit func(Event)) {
	for _, e := range it.waiting {
		emit(e)
	}
	it.waiting = nil
}

// Finish emits what waits, and what was heard of items in the making (R4).
func (d *openAI) Finish(emit func(Event)) {
	for _, it := range d.items {
		if text := speech(string(it.heard)); text != "" && !it.done {
			it.waiting = append(it.waiting, Event{Kind: Final, Text: text, Start: it.start, End: it.end, ID: it.id + "/heard", Unique: true}.ordered())
		}
		it.say(emit)
	}
	d.items = nil
}
