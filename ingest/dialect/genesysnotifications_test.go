package dialect

import "testing"

func TestGenesysNotifications(t *testing.T) {
	d, err := newGenesysNotifications(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	const zero = 1787303700210
	body := func(more string) string {
		return `{"conversationId":"c","communicationId":"s","sessionStartTimeMs":1787303700000,"transcriptionStartTimeMs":1787303700210,` + more + `}`
	}
	two := body(`"transcripts":[
		{"utteranceId":"u1","isFinal":false,"channel":"EXTERNAL","alternatives":[{"offsetMs":4910,"durationMs":950,"transcript":"my parcel"}]},
		{"utteranceId":"u2","isFinal":true,"channel":"INTERNAL","alternatives":[{"offsetMs":"8000","durationMs":"20","transcript":"yes","decoratedTranscript":"Yes."}]}],"status":null`)
	want := []Event{
		{Kind: Partial, Text: "my parcel", Start: Absolute(zero + 4910), End: Absolute(zero + 5860), Channel: "EXTERNAL", ID: "u1", Session: "s"},
		{Kind: Final, Text: "Yes.", Start: Absolute(zero + 8000), End: Absolute(zero + 8020), Channel: "INTERNAL", ID: "u2", Session: "s"},
	}
	f(`{"topicName":"v2.conversations.c.transcription","eventBody":`+two+`}`, want...)
	f(`{"detail-type":"v2.conversations.{id}.transcription","detail":{"eventBody":`+two+`}}`, want...)
	f(two, want...)

	// Without a start the offsets stay offsets; without times and words an
	// empty final is still one.
	f(`{"eventBody":{"transcripts":[{"isFinal":true,"alternatives":[{"offsetMs":1,"durationMs":2,"transcript":"x"}]},{"isFinal":"true"}]}}`,
		Event{Kind: Final, Text: "x", Start: Offset(1), End: Offset(3)}, Event{Kind: Final})

	f(`{"eventBody":`+body(`"transcripts":[],"status":{"offsetMs":1,"status":"SESSION_ENDED"}`)+`}`, Event{Kind: End, Session: "s"})
	f(`{"eventBody":`+body(`"transcripts":null,"status":{"status":"SESSION_ONGOING"}`)+`}`, Event{Kind: Noise, Session: "s"})
	f(`{"eventBody":`+body(`"transcripts":[],"status":null`)+`}`, Event{Kind: Noise, Session: "s"})
	f(`{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}`, Event{Kind: Noise})
	f(`{"topicName":"v2.news","eventBody":{}}`, Event{Kind: Unknown})
	f(`{"message":"pong"}`, Event{Kind: Unknown})
	checkFinish(t, d)
}
