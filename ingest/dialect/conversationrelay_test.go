package dialect

import "testing"

func TestConversationRelay(t *testing.T) {
	d, err := newConversationRelay(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"type":"setup","sessionId":"VX0","callSid":"CA1","customParameters":{"vendorCallKey":"k"}}`, Event{Kind: Begin, Session: "VX0", Call: Call{Key: "k"}})
	f(`{"type":"setup","sessionId":"VX0","callSid":"CA1","customParameters":{"callReference":"bar"}}`, Event{Kind: Begin, Session: "VX0", Call: Call{Key: "CA1"}})
	f(`{"type":"prompt","voicePrompt":"My parcel","lang":"en-US","last":false}`, Event{Kind: Partial, Text: "My parcel"})
	f(`{"type":"prompt","voicePrompt":"My parcel is late.","lang":"en-US","last":true}`, Event{Kind: Final, Text: "My parcel is late."})
	f(`{"type":"prompt","voicePrompt":"Yes."}`, Event{Kind: Final, Text: "Yes."})
	f(`{"type":"prompt","voicePrompt":"","last":"true"}`, Event{Kind: Final})
	f(`{"type":"interrupt","utteranceUntilInterrupt":"Welcome"}`, Event{Kind: Noise})
	f(`{"type":"dtmf","digit":"1"}`, Event{Kind: Noise})
	f(`{"type":"text","token":"Hello","last":false}`, Event{Kind: Noise})
	f(`{"type":"error","description":"Invalid message"}`, Event{Kind: Failure, Text: "Invalid message"})
	f(`{"type":"end"}`, Event{Kind: End})
	f(`{"type":"news"}`, Event{Kind: Unknown})
	checkFinish(t, d)

	d, _ = newConversationRelay(Options{})
	f(`{"type":"prompt","voicePrompt":"My parcel","last":false}`)
}
