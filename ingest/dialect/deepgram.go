package dialect

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// deepgram reads the answers of Deepgram's /v1/listen and of its copies.
// Read in deepgram-python-sdk@7da415d src/deepgram/listen/v1/requests and
// jambonz-feature-server@389c65e2 lib/tasks/transcribe.js:488-620.
//
// is_final says that the words will not change, several times in a sentence:
// a Piece. speech_final, which may never come, and from_finalize end the
// utterance, as does UtteranceEnd, if it is not late: its last_word_end lets
// the assembler see that (jambonz-feature-server issue 1088). Empty finals are
// normal, and end an utterance like others.
//
// The words of a final may repeat the last ones of the final before
// (livekit/agents PR 5505): those are dropped. Times begin at 0 with every
// request_id, which is the session; there is no other id.
type deepgram struct {
	partials bool
	session  string
	heard    bool // results came: Metadata that follows closes the session
	channels channels[deepgramChannel]
}

// deepgramChannel is the last final of a channel.
type deepgramChannel struct {
	floor      floor
	start, end int64 // ms
}

func newDeepgram(o Options) (Decoder, error) {
	return &deepgram{partials: o.Partials, channels: channels[deepgramChannel]{}}, nil
}

func (d *deepgram) Decode(frame []byte, emit func(Event)) error {
	if gjson.GetBytes(frame, "is_final").Type == gjson.False {
		if d.partials {
			emit(d.partial(frame))
		}
		return nil
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	switch kind := o.Get("type"); {
	case kind.Str == "Results", !told(kind) && told(o.Get("channel.alternatives")):
		d.enter(o.Get("metadata.request_id"))
		d.results(o, emit)
	case kind.Str == "UtteranceEnd":
		emit(Event{Kind: Boundary, Channel: label(o.Get("channel.0")), End: in(seconds, o.Get("last_word_end")), Session: d.session})
	case kind.Str == "Metadata":
		d.enter(o.Get("request_id"))
		emit(Event{Kind: d.metadata(o), Session: d.session})
	case kind.Str == "Error", told(o.Get("err_code")):
		emit(Event{Kind: Failure, Session: d.session, Text: complaint(
			o.Get("variant"), o.Get("err_code"), o.Get("code"), o.Get("description"), o.Get("message"), o.Get("err_msg"))})
	default:
		emit(Event{Kind: d.other(kind.Str)})
	}
	return nil
}

// partial reads of a frame what the monitor shows, without reading all of it:
// most frames are partials.
func (d *deepgram) partial(frame []byte) Event {
	const best = "channel.alternatives.0."
	get := func(path string) gjson.Result { return gjson.GetBytes(frame, path) }
	e := Event{Kind: Partial, Session: d.session, Channel: label(get("channel_index.0")), Text: speech(get(best + "transcript").Str)}
	if n := get(best + "words.#").Int(); n > 0 {
		e.Start, e.Speaker = in(seconds, get(best+"words.0.start")), label(get(best+"words.0.speaker"))
		e.End = in(seconds, get(fmt.Sprint(best, "words.", n-1, ".end")))
	}
	if !e.Start.Known() {
		e.Start, e.End = in(seconds, get("start")), after(seconds, get("start"), get("duration"))
	}
	return e.ordered().valid()
}

// metadata tells the summary that closes a session from the greeting of some
// copies.
func (d *deepgram) metadata(o gjson.Result) Kind {
	if d.heard || o.Get("duration").Num > 0 {
		return End
	}
	return Begin
}

// other tells what is sent to the engine, and may be forwarded by mistake,
// from what nobody knows.
func (d *deepgram) other(kind string) Kind {
	switch kind {
	case "SpeechStarted", "KeepAlive", "Finalize", "CloseStream":
		return Noise
	}
	return Unknown
}

// enter notes the session. In another one, what was heard before says nothing.
func (d *deepgram) enter(id gjson.Result) {
	if id.Str != "" && id.Str != d.session {
		d.session = strings.Clone(id.Str)
		clear(d.channels)
	}
}

func (d *deepgram) results(o gjson.Result, emit func(Event)) {
	d.heard = true
	best := o.Get("channel.alternatives.0")
	words := timedWords(best.Get("words"))
	e := Event{Kind: Partial, Channel: label(o.Get("channel_index.0")), Session: d.session, Text: speech(best.Get("transcript").Str)}
	if e.Start, e.End = span(words); !e.Start.Known() {
		e.Start, e.End = in(seconds, o.Get("start")), after(seconds, o.Get("start"), o.Get("duration"))
	}
	switch standing, over := o.Get("is_final"), o.Get("speech_final"); {
	case !yes(standing) && (told(standing) || !yes(over)):
		if d.partials {
			e.Speaker = speaker(words)
			emit(e)
		}
		return
	case yes(over), yes(o.Get("from_finalize")):
		e.Kind = Final
	default:
		e.Kind = Piece
	}
	channel := d.channels.at(e.Channel)
	fresh := channel.unheard(words, in(seconds, o.Get("start")))
	parts := bySpeaker(fresh)
	if len(fresh) == len(words) && len(parts) == 1 {
		channel.say(e, speaker(fresh), emit)
		return
	}
	for i, part := range parts {
		e := e
		if e.Text = speech(sentence(part, " ")); len(part) > 0 {
			e.Start, e.End = span(part)
		}
		if i < len(parts)-1 {
			e.Kind = Piece
		}
		channel.say(e, speaker(part), emit)
	}
}

// say emits what one speaker says, after ending what another one said.
func (c *deepgramChannel) say(e Event, speaker string, emit func(Event)) {
	if c.floor.passes(speaker) {
		emit(Event{Kind: Boundary, Channel: e.Channel, Session: e.Session})
	}
	e.Speaker = speaker
	if e.Kind == Piece && e.Text == "" {
		e = Event{Kind: Noise} // nothing was said, and nothing ends
	}
	emit(e)
}

// unheard drops words at the head that the final before had already: their
// middle lies before its end. That is, if this final follows that one; a start
// that goes back means a clock that began anew.
func (c *deepgramChannel) unheard(words []word, start Instant) []word {
	began, known := start.Offset()
	follows := known && began >= c.start
	fresh := words
	for follows && len(fresh) > 0 {
		from, ok := fresh[0].start.Offset()
		to, ended := fresh[0].end.Offset()
		if !ended {
			to = from
		}
		if !ok || from+to >= 2*c.end {
			break
		}
		fresh = fresh[1:]
	}
	if !follows {
		c.end = 0
	}
	c.start = began
	if _, last := span(fresh); last.Known() {
		c.end, _ = last.Offset()
	}
	return fresh
}

// Finish has nothing to add: what is final has been said.
func (d *deepgram) Finish(func(Event)) {}
