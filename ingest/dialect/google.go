package dialect

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// google reads StreamingRecognizeResponse of Google's Speech v1 and v2, as a
// relay makes it JSON: camelCase, snake_case, or the objects of Node's client.
// Read in @google-cloud/speech 7.5.0 build/protos/google/cloud/speech/{v1,v2}
// and, for a single result with plain numbers, mod_google_transcribe of
// FreeSWITCH.
//
// Each result with isFinal is an utterance. Proto3 leaves defaults out: without
// isFinal it is not, and a first word without a start starts at 0. Only words have
// starts. With diarization the words repeat all that was said since the start:
// only the last ones count, as many as have the letters of the transcript, which
// is the text. Interim results of a frame follow one another and are one partial.
// Nothing depends on the frames before, so that a replay from the middle says
// the same.
//
// requestId is the session, where times begin at 0: a stream lasts five
// minutes, so there are several in a call. There is no other id.
type google struct {
	partials bool
	session  string
}

func newGoogle(o Options) (Decoder, error) { return &google{partials: o.Partials}, nil }

func (d *google) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	results := loose(o, "results")
	if !told(results) && told(loose(o, "alternatives")) {
		results = gjson.Result{Type: gjson.JSON, Raw: "[" + o.Raw + "]"}
	}
	if id := first(loose(o, "requestid"), loose(o, "metadata", "requestid")); id != "" && id != d.session {
		d.session = strings.Clone(id)
	}
	switch fault := loose(o, "error"); {
	case fault.Type == gjson.String, loose(fault, "message").Str != "", loose(fault, "code").Num != 0:
		emit(Event{Kind: Failure, Session: d.session, Text: complaint(fault, loose(fault, "code"), loose(fault, "message"))})
	case told(results):
		d.results(slices.Collect(objects(results)), emit)
	case told(loose(o, "speecheventtype")), told(loose(o, "metadata")), told(loose(o, "totalbilledtime")), told(loose(o, "requestid")):
		emit(Event{Kind: Noise, Session: d.session})
	default:
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *google) results(all []gjson.Result, emit func(Event)) {
	if len(all) == 0 {
		emit(Event{Kind: Noise, Session: d.session})
	}
	for i := 0; i < len(all); i++ {
		channel := googleChannel(all[i])
		if yes(loose(all[i], "isfinal")) {
			d.final(channel, all[i], emit)
			continue
		}
		interim := []word{googleInterim(all[i])}
		for i+1 < len(all) && googleChannel(all[i+1]) == channel && !yes(loose(all[i+1], "isfinal")) {
			i++
			interim = append(interim, googleInterim(all[i]))
		}
		if d.partials {
			e := Event{Kind: Partial, Session: d.session, Channel: channel, Text: speech(sentence(interim, ""))}
			_, e.End = span(interim)
			emit(e)
		}
	}
}

func googleInterim(result gjson.Result) word {
	return word{text: loose(googleBest(result), "transcript").Str, end: googleEnd(result)}
}

func (d *google) final(channel string, result gjson.Result, emit func(Event)) {
	best := googleBest(result)
	said := strings.Fields(loose(best, "transcript").Str)
	words := googleNew(googleWords(loose(best, "words")), said)
	e := Event{Kind: Final, Session: d.session, Channel: channel, Text: speech(loose(best, "transcript").Str), Speaker: speaker(words)}
	if e.Start, e.End = span(words); !e.End.Known() {
		e.End = googleEnd(result)
	}
	parts := bySpeaker(words)
	if len(parts) == 1 || sentence(words, " ") != strings.Join(said, " ") {
		emit(e.ordered())
		return
	}
	for _, part := range parts {
		e := e
		e.Text, e.Speaker = speech(sentence(part, " ")), speaker(part)
		e.Start, e.End = span(part)
		emit(e)
	}
}

// googleNew leaves out the words that the finals before had, if there are more
// words than were said.
func googleNew(words []word, said []string) []word {
	if len(words) <= len(said) {
		return words
	}
	letters, first := len(strings.Join(said, "")), len(words)
	for first > 0 && letters >= len(words[first-1].text) {
		first--
		letters -= len(words[first].text)
	}
	return words[first:]
}

func googleWords(all gjson.Result) []word {
	var words []word
	for w := range objects(all) {
		begins, ends := googleEither(w, "start"), googleEither(w, "end")
		next := word{
			text:    strings.TrimSpace(loose(w, "word").Str),
			start:   googleTime(begins),
			end:     googleTime(ends),
			speaker: first(loose(w, "speakerlabel"), loose(w, "speakertag")),
		}
		if next.speaker == "0" {
			next.speaker = "" // a default that Node writes out
		}
		if len(words) == 0 && !told(begins) && next.end.Known() {
			next.start = Offset(0) // the default that proto3 leaves out
		}
		words = append(words, next)
	}
	return words
}

func googleBest(result gjson.Result) gjson.Result { return loose(result, "alternatives").Get("0") }

// googleChannel is 1 and up; 0 is a default that Node writes out.
func googleChannel(result gjson.Result) string {
	if tag := label(loose(result, "channeltag")); tag != "0" {
		return tag
	}
	return ""
}

// googleEnd is where a result ends. As a plain number, which FreeSWITCH makes
// of it, it is in milliseconds.
func googleEnd(result gjson.Result) Instant {
	end := googleEither(result, "resultend")
	if plain := in(milliseconds, end); plain.Known() {
		return plain
	}
	return googleTime(end)
}

// googleEither is the member of v1 or of v2.
func googleEither(o gjson.Result, name string) gjson.Result {
	if v := loose(o, name+"time"); told(v) {
		return v
	}
	return loose(o, name+"offset")
}

// googleTime reads a Duration: "7.620s", or {"seconds":"7","nanos":620000000}
// with a number, a string or a Long for the seconds. FreeSWITCH's plain
// numbers are whole seconds for words, too coarse to be of use.
func googleTime(v gjson.Result) Instant {
	if v.IsObject() {
		const nanoseconds = 6
		whole := loose(v, "seconds")
		if low := loose(whole, "low"); told(low) {
			whole = low
		}
		ms, _ := in(seconds, whole).Offset()
		part, _ := in(nanoseconds, loose(v, "nanos")).Offset()
		return Offset(ms + part)
	}
	if number, ok := strings.CutSuffix(v.Str, "s"); ok {
		if ms, ok := decimal(number, seconds); ok && ms >= 0 {
			return Offset(ms)
		}
	}
	return Instant{}
}

// Finish has nothing to add: an interim result may still change.
func (d *google) Finish(func(Event)) {}
