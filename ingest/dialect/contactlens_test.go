package dialect

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestContactLens(t *testing.T) {
	const (
		utterance  = `{"Utterance":{"Id":"u1","TranscriptId":"t1","ParticipantRole":"CUSTOMER","PartialContent":"My parcel","BeginOffsetMillis":10,"EndOffsetMillis":20}}`
		transcript = `{"Transcript":{"Id":"t1","ParticipantRole":"CUSTOMER","Content":"My parcel.","BeginOffsetMillis":10,"EndOffsetMillis":30}}`
		both       = `{"ContactId":"c1","EventType":"SEGMENTS","Segments":[{"Categories":{}},` + utterance + `,` + transcript + `]}`
	)
	begin := Event{Kind: Begin, Session: "c1", Call: Call{Key: "c1"}}
	said := func(id, text string, end int64) Event {
		return Event{Kind: Final, Session: "c1", ID: id, Channel: "CUSTOMER", Text: text, Start: Offset(10), End: Offset(end)}
	}
	f := func(segments string, want Event) {
		t.Helper()
		d, err := newContactLens(Options{Values: url.Values{"segments": {segments}}})
		if err != nil {
			t.Fatal(err)
		}
		// The first frame that names the contact begins it.
		check(t, d, both, begin, want)
		check(t, d, `{"ContactId":"c1","EventType":"STARTED"}`)
		check(t, d, `{"ContactId":"c1","EventType":"FAILED"}`, Event{Kind: Failure, Session: "c1", Text: "FAILED"}, Event{Kind: End, Session: "c1"})
		check(t, d, `{"ContactId":"c1","EventType":"COMPLETED"}`, Event{Kind: End, Session: "c1"})
		check(t, d, `{"ContactId":"c1","EventType":"NEWS"}`, Event{Kind: Unknown})
		check(t, d, `{}`, Event{Kind: Unknown})
		checkFinish(t, d)

		// Another contact's words are not this call's.
		err = d.Decode([]byte(strings.ReplaceAll(both, "c1", "c2")), func(e Event) { t.Errorf("%+v of another contact", e) })
		if !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), "ContactId") {
			t.Errorf("error %v, want one that names ContactId", err)
		}
		check(t, d, both, want)
	}
	f("", said("t1", "My parcel.", 30))
	f("transcript", said("t1", "My parcel.", 30))
	f("utterance", said("u1", "My parcel", 20))

	if _, err := newContactLens(Options{Values: url.Values{"segments": {"both"}}}); err == nil || !strings.Contains(err.Error(), `segments is "both"`) {
		t.Errorf("error %v, want one that names the option and its fault", err)
	}

	// What the API answers names no contact, and ends with the last page.
	d, _ := newContactLens(Options{})
	bare := said("t1", "My parcel.", 30)
	bare.Session = ""
	check(t, d, `{"Status":"COMPLETED","NextToken":"x","Segments":[`+transcript+`]}`, bare)
	check(t, d, `{"Status":"COMPLETED","Segments":[`+transcript+`]}`, bare, Event{Kind: End})
}
