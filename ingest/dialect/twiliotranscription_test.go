package dialect

import (
	"errors"
	"net/url"
	"testing"
)

func TestTwilioTranscription(t *testing.T) {
	d, err := newTwilioTranscription(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	form := func(pairs ...string) string {
		v := url.Values{"TranscriptionSid": {"GT2"}, "CallSid": {"CA1"}, "SequenceId": {"7"}, "Timestamp": {"2026-08-21T09:15:04.910Z"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	const content = "transcription-content"
	at := Absolute(1787303704910)
	f(form("TranscriptionEvent", "transcription-started", "Track", "both_tracks"), Event{Kind: Begin, Session: "GT2", Start: at, Call: Call{Key: "CA1"}})
	f(form("TranscriptionEvent", content, "Track", "inbound_track", "Final", "false", "TranscriptionData", `{"transcript": "my parcel"}`),
		Event{Kind: Partial, Text: "my parcel", End: at, Channel: "inbound_track", ID: "7", Session: "GT2"})
	f(form("TranscriptionEvent", content, "Track", "outbound_track", "Final", "true", "TranscriptionData", `{"transcript": "Tea & cake = 5+5 %.", "confidence": 0.9}`),
		Event{Kind: Final, Text: "Tea & cake = 5+5 %.", End: at, Channel: "outbound_track", ID: "7", Session: "GT2"})
	f(form("TranscriptionEvent", content, "Final", "true", "Timestamp", "soon", "TranscriptionData", `{}`), Event{Kind: Final, ID: "7", Session: "GT2"})
	f(form("TranscriptionEvent", "transcription-error", "TranscriptionErrorCode", "32655", "TranscriptionError", "Provider unavailable"),
		Event{Kind: Failure, Text: "32655 Provider unavailable", ID: "7", Session: "GT2"})
	f(form("TranscriptionEvent", "transcription-error", "TranscriptionErrorCode", "32655"), Event{Kind: Failure, Text: "32655", ID: "7", Session: "GT2"})
	f(form("TranscriptionEvent", "transcription-stopped"), Event{Kind: End, ID: "7", Session: "GT2"})
	f(form("TranscriptionEvent", "news"), Event{Kind: Unknown, ID: "7", Session: "GT2"})

	// The same as an object, as a relay may write it.
	f(`{"TranscriptionEvent":"transcription-content","TranscriptionSid":"GT2","SequenceId":11,"Final":true,"TranscriptionData":"{\"transcript\":\"Yes.\"}"}`,
		Event{Kind: Final, Text: "Yes.", ID: "11", Session: "GT2"})

	for _, bad := range []string{"", "x", "%zz", "{", "{}", form("TranscriptionEvent", content, "Final", "true"), form("TranscriptionEvent", content, "Final", "true", "TranscriptionData", "secret")} {
		if err := d.Decode([]byte(bad), func(e Event) { t.Errorf("%q is %+v", bad, e) }); !errors.Is(err, ErrFrame) {
			t.Errorf("Decode(%q) = %v, want %v", bad, err, ErrFrame)
		}
	}
	checkFinish(t, d)
}
