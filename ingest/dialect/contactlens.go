package dialect

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// contactLens reads Amazon Connect's real-time Contact Lens segments, from its
// Kinesis stream or as ListRealtimeContactAnalysisSegments answers.
// Read in docs.aws.amazon.com/connect/latest/adminguide
// real-time-contact-analysis-segment-streams-data-model and
// service-cloud-voice/ServiceCloudVoiceLambdas@57e7dd0 contactLensProcessor.
//
// A segment is a Transcript or, before it, several shorter Utterances of the
// same words: one of the two is taken, as the option segments says, each named
// by its Id. Transcripts are the default; Utterances are what Salesforce's own
// lambda sends. ContactId is the session, and the call's key.
//
// A connection carries one contact. What names another is refused: its words
// would be put into the wrong call.
type contactLens struct {
	partials   bool
	utterances bool // are the finals
	contact    string
}

func newContactLens(o Options) (Decoder, error) {
	d := &contactLens{partials: o.Partials}
	switch segments := o.Values.Get("segments"); segments {
	case "", "transcript":
	case "utterance":
		d.utterances = true
	default:
		return nil, fmt.Errorf("segments is %q: it must be transcript or utterance", segments)
	}
	return d, nil
}

func (d *contactLens) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	if err := d.enter(label(loose(o, "contactid")), emit); err != nil {
		return err
	}
	segments, status := loose(o, "segments"), loose(o, "eventtype").Str
	if status == "" && told(segments) && loose(o, "nexttoken").Str == "" {
		status = loose(o, "status").Str // of the last page
	}
	for s := range objects(segments) {
		d.segment(s, emit)
	}
	switch {
	case status == "FAILED":
		emit(Event{Kind: Failure, Session: d.contact, Text: status})
		emit(Event{Kind: End, Session: d.contact})
	case status == "COMPLETED":
		emit(Event{Kind: End, Session: d.contact})
	case status != "STARTED" && !told(segments):
		emit(Event{Kind: Unknown})
	}
	return nil
}

// enter begins the contact with the first frame that names it: a relay may
// have missed STARTED.
func (d *contactLens) enter(contact string, emit func(Event)) error {
	switch {
	case contact == "" || contact == d.contact:
		return nil
	case d.contact != "":
		return fmt.Errorf("%w: ContactId is not the one that this connection began with", ErrFrame)
	}
	d.contact = strings.Clone(contact)
	emit(Event{Kind: Begin, Session: d.contact, Call: Call{Key: d.contact}})
	return nil
}

func (d *contactLens) segment(s gjson.Result, emit func(Event)) {
	transcript, utterance := loose(s, "transcript"), loose(s, "utterance")
	switch {
	case told(transcript) && !d.utterances:
		emit(d.words(Final, transcript, "content"))
	case told(utterance) && d.utterances:
		emit(d.words(Final, utterance, "partialcontent"))
	case told(utterance) && d.partials:
		emit(d.words(Partial, utterance, "partialcontent"))
	}
}

func (d *contactLens) words(kind Kind, s gjson.Result, content string) Event {
	e := Event{
		Kind:    kind,
		Session: d.contact,
		ID:      label(loose(s, "id")),
		Channel: label(loose(s, "participantrole")),
		Text:    speech(loose(s, content).Str),
	}
	e.Start, e.End = ordered(in(milliseconds, loose(s, "beginoffsetmillis")), in(milliseconds, loose(s, "endoffsetmillis")))
	return e
}

// Finish has nothing to add: every segment stands.
func (d *contactLens) Finish(func(Event)) {}
