package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// genesysNotifications reads the topic
// v2.conversations.{id}.transcription of Genesys Cloud, as its notification
// service or EventBridge brings it. Read in the models of its platform SDK.
//
// Each notification stands alone. Times are of the world: offsetMs counts from
// transcriptionStartTimeMs. A transfer gives a new communicationId, the
// session, with a new start. Channels are INTERNAL, the agent, EXTERNAL, the
// customer, BOTH and UNKNOWN. utteranceId is the same for partials and the
// final. decoratedTranscript has the punctuation. Heartbeats have the topic
// channel.metadata. No message begins a session, so the URL names the call.
type genesysNotifications struct{ partials bool }

func newGenesysNotifications(o Options) (Decoder, error) {
	return genesysNotifications{o.Partials}, nil
}

func (d genesysNotifications) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	body := field(o, "eventBody", "detail.eventBody", "detail")
	if !told(body) {
		body = o
	}
	e := Event{Session: label(body.Get("communicationId"))}
	zero, transcripts := body.Get("transcriptionStartTimeMs"), body.Get("transcripts")
	none := true
	for t := range objects(transcripts) {
		none = false
		d.transcript(t, zero, e, emit)
	}
	status := body.Get("status.status").Str
	switch {
	case strings.HasSuffix(status, "ENDED"):
		e.Kind = End
	case status != "", transcripts.IsArray() && none, o.Get("topicName").Str == "channel.metadata":
		e.Kind = Noise
	case !transcripts.IsArray():
		e.Kind = Unknown
	default:
		return nil
	}
	emit(e)
	return nil
}

func (d genesysNotifications) transcript(t, zero gjson.Result, e Event, emit func(Event)) {
	e.Kind = Partial
	if yes(t.Get("isFinal")) {
		e.Kind = Final
	} else if !d.partials {
		return
	}
	e.ID, e.Channel = label(t.Get("utteranceId")), label(t.Get("channel"))
	best := t.Get("alternatives.0")
	if e.Text = speech(best.Get("decoratedTranscript").Str); e.Text == "" {
		e.Text = speech(best.Get("transcript").Str)
	}
	e.Start = in(milliseconds, best.Get("offsetMs"))
	if length, ok := in(milliseconds, best.Get("durationMs")).Offset(); ok {
		e.End = e.Start.Plus(length)
	}
	if began, ok := in(milliseconds, zero).Offset(); ok && began > 0 {
		e.Start, e.End = since(began, e.Start), since(began, e.End)
	}
	emit(e)
}

// Finish has nothing to say: no words are held back.
func (genesysNotifications) Finish(func(Event)) {}
