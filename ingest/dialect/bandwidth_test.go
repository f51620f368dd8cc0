package dialect

import "testing"

func TestBandwidth(t *testing.T) {
	d, err := newBandwidth(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"eventType":"start","metadata":{"callId":"c-1","realtimeTranscriptionId":"s-1","tracks":[{"name":"inbound"}]},"customParams":{"vendorCallKey":"k","channel.inbound":"END_USER"}}`,
		Event{Kind: Begin, Session: "s-1", Call: Call{Key: "k", Channels: map[string]string{"inbound": "END_USER"}}})
	f(`{"eventType":"start","metadata":{"callId":"c-1","realtimetranscriptionid":"s-1"},"customParams":"{\"org\":\"north\"}"}`,
		Event{Kind: Begin, Session: "s-1", Call: Call{Key: "c-1", Org: "north"}})

	const at = 1787303704910 // 2026-08-21T09:15:04.910Z
	f(`{"eventType":"transcription","track":"inbound","startTime":"2026-08-21T09:15:04.910Z","endTime":"2026-08-21T09:15:05.860","isPartial":true,"transcript":"My parcel"}`,
		Event{Kind: Partial, Text: "My parcel", Channel: "inbound", Start: Absolute(at), End: Absolute(at + 950)})
	f(`{"eventType":"transcription","track":"outbound","startTime":"2023-03-31T20:05.101Z","endTime":"2023-03-31T20:05.101Z","isPartial":false,"transcript":"Yes, sure.",
		"items":[{"content":"Yes","startTime":"2026-08-21T09:15:04.910Z","endTime":"x"},{"content":"sure","endTime":"2026-08-21T09:15:05.000Z"}]}`,
		Event{Kind: Final, Text: "Yes, sure.", Channel: "outbound", Start: Absolute(at), End: Absolute(at + 90)})
	f(`{"eventType":"transcription","track":"outbound","startTime":"2023-03-31T20:05.101Z","isPartial":"false","transcript":"","items":[]}`,
		Event{Kind: Final, Channel: "outbound"})
	f(`{"eventType":"error","message":"gone"}`, Event{Kind: Failure, Text: "gone"})
	f(`{"eventType":"news"}`, Event{Kind: Unknown})
	f(`{"eventType":"stop","metadata":{"realtimeTranscriptionId":"s-1"}}`, Event{Kind: End, Session: "s-1"})
	checkFinish(t, d)
}
