package dialect

import "testing"

func TestAudioCodes(t *testing.T) {
	d, err := newAudioCodes(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"type":"session.initiate","conversationId":"c","caller":"+15550100"}`, Event{Kind: Begin, Session: "c", Call: Call{Key: "c"}})
	f(`{"type":"session.resume","conversationId":"c","parameters":{"vendorCallKey":"k"}}`, Event{Kind: Begin, Session: "c", Call: Call{Key: "k"}})
	f(`{"type":"userStream.speech.hypothesis","participant":"caller","alternatives":[{"text":"my parcel"}]}`, Event{Kind: Partial, Text: "my parcel", Channel: "caller"})
	f(`{"type":"userStream.speech.recognition","conversationId":"c","participantId":"agent","alternatives":[{"text":"one moment","confidence":0.9},{"text":"no"}]}`,
		Event{Kind: Final, Text: "one moment", Channel: "agent", Session: "c"})
	f(`{"type":"userStream.speech.recognition","text":"Tell me more","confidence":1.0}`, Event{Kind: Final, Text: "Tell me more"})
	f(`{"type":"userStream.speech.recognition","alternatives":[]}`, Event{Kind: Final})
	f(`{"type":"userStream.speech.committed","participant":"caller","text":"Tell me more"}`, Event{Kind: Boundary, Channel: "caller"})
	for _, known := range []string{"session.accepted", "connection.validate", "userStream.start", "userStream.speech.started", "playStream.stop", "activities"} {
		f(`{"type":"`+known+`"}`, Event{Kind: Noise})
	}
	f(`{"type":"session.error","reason":"gone"}`, Event{Kind: Failure, Text: "gone"})
	f(`{"type":"session.end","conversationId":"c","reason":"Client Side"}`, Event{Kind: End, Session: "c"})
	f(`{"type":"news"}`, Event{Kind: Unknown})
	checkFinish(t, d)

	refuses(t, d, `{"type":"userStream.chunk","audioChunk":"//7+"}`)
	d, _ = newAudioCodes(Options{})
	f(`{"type":"userStream.speech.hypothesis","alternatives":[{"text":"my parcel"}]}`)
}
