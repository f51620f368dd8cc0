package dialect

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// awsTranscribe reads Amazon Transcribe's events, of plain streams and of call
// analytics, as a relay makes them JSON: AWS itself sends a binary event
// stream. So names are read in any case, with underscores or without.
// Read in docs.aws.amazon.com/transcribe/latest/APIReference
// API_streaming_Result, …_TranscriptEvent, …_UtteranceEvent, dg/streaming-partial-results.
//
// Each result that is not IsPartial is an utterance, named by its ResultId
// (UtteranceId in call analytics); a frame holds several, one for each channel,
// and often none. IsPartial may be left out when false.
type awsTranscribe struct{ partials bool }

func newAWSTranscribe(o Options) (Decoder, error) { return &awsTranscribe{o.Partials}, nil }

func (d *awsTranscribe) Decode(frame []byte, emit func(Event)) error {
	if awsPartial(frame) {
		if d.partials {
			emit(awsOnly(frame))
		}
		return nil
	}
	o, err := object(frame)
	if err != nil {
		return err
	}
	if inner := loose(o, "transcriptevent"); told(inner) {
		o = inner
	}
	utterance := loose(o, "utteranceevent")
	if !told(utterance) && told(loose(o, "utteranceid")) {
		utterance = o
	}
	switch results := loose(o, "transcript", "results"); {
	case told(utterance):
		d.utterance(utterance, emit)
	case results.IsArray():
		d.results(results, emit)
	case told(loose(o, "categoryevent")):
		emit(Event{Kind: Noise})
	default:
		emit(awsException(o))
	}
	return nil
}

// awsPartial sees without reading all of it that a frame holds one result only,
// a partial one. Frames that a relay has rewritten are read in full.
func awsPartial(frame []byte) bool {
	return bytes.Count(frame, []byte(`"ResultId"`)) == 1 && gjson.GetBytes(frame, "Transcript.Results.0.IsPartial").Type == gjson.True
}

// awsOnly reads of such a frame what the monitor shows.
func awsOnly(frame []byte) Event {
	get := func(name string) gjson.Result { return gjson.GetBytes(frame, "Transcript.Results.0."+name) }
	e := Event{Kind: Partial, ID: label(get("ResultId")), Text: speech(get("Alternatives.0.Transcript").Str)}
	e.Start, e.End = in(seconds, get("StartTime")), in(seconds, get("EndTime"))
	if bytes.Contains(frame, []byte(`"ChannelId"`)) { // behind all of the words
		e.Channel = label(get("ChannelId"))
	}
	return e.ordered().valid()
}

func (d *awsTranscribe) results(all gjson.Result, emit func(Event)) {
	none := true
	for r := range objects(all) {
		none = false
		best := loose(r, "alternatives").Get("0")
		e := Event{
			ID:      label(loose(r, "resultid")),
			Channel: label(loose(r, "channelid")),
			Text:    speech(loose(best, "transcript").Str),
		}
		e.Start, e.End = ordered(in(seconds, loose(r, "starttime")), in(seconds, loose(r, "endtime")))
		d.say(yes(loose(r, "ispartial")), e, awsWords(loose(best, "items")), emit)
	}
	if none {
		emit(Event{Kind: Noise})
	}
}

func (d *awsTranscribe) utterance(u gjson.Result, emit func(Event)) {
	e := Event{
		ID:      label(loose(u, "utteranceid")),
		Channel: label(loose(u, "participantrole")),
		Text:    speech(loose(u, "transcript").Str),
	}
	e.Start, e.End = ordered(in(milliseconds, loose(u, "beginoffsetmillis")), in(milliseconds, loose(u, "endoffsetmillis")))
	d.say(yes(loose(u, "ispartial")), e, nil, emit)
}

// say emits the words of a result, each speaker's on their own. Those of the
// second and later speakers get an id of their own.
func (d *awsTranscribe) say(partial bool, e Event, words []word, emit func(Event)) {
	e.Speaker = speaker(words)
	parts := bySpeaker(words)
	switch e.Kind = Final; {
	case partial && !d.partials:
	case partial:
		e.Kind = Partial
		emit(e)
	case len(parts) == 1 || e.Text == "":
		emit(e)
	default:
		id := e.ID
		for i, part := range parts {
			e.Text, e.Speaker = speech(sentence(part, " ")), speaker(part)
			if e.Start, e.End = span(part); i > 0 && id != "" {
				e.ID = fmt.Sprintf("%s/%d", id, i)
			}
			emit(e)
		}
	}
}

func awsWords(items gjson.Result) []word {
	var words []word
	for item := range objects(items) {
		words = append(words, word{
			text:    loose(item, "content").Str,
			start:   in(seconds, loose(item, "starttime")),
			end:     in(seconds, loose(item, "endtime")),
			speaker: label(loose(item, "speaker")),
			joined:  loose(item, "type").Str == "punctuation",
		})
	}
	return words
}

// awsException finds an exception under the name that the relay gave it: as a
// member, or as the value of __type, name or the like.
func awsException(o gjson.Result) Event {
	e := Event{Kind: Unknown}
	o.ForEach(func(name, value gjson.Result) bool {
		switch {
		case strings.HasSuffix(name.Str, "Exception"), strings.HasSuffix(name.Str, "_exception"):
			e = Event{Kind: Failure, Text: complaint(name, value, loose(value, "message"))}
		case strings.HasSuffix(value.Str, "Exception"):
			e = Event{Kind: Failure, Text: complaint(value, loose(o, "message"))}
		}
		return e.Kind == Unknown
	})
	return e
}

// Finish has nothing to add: a partial result may still change.
func (d *awsTranscribe) Finish(func(Event)) {}
