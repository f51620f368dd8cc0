package dialect

import "testing"

func TestTelnyx(t *testing.T) {
	d, err := newTelnyx(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"transcript":"Hello","is_final":false,"confidence":0.0}`, Event{Kind: Partial, Text: "Hello"})
	f(`{"transcript":"Hello, how are you?","is_final":true,"confidence":0.98}`, Event{Kind: Final, Text: "Hello, how are you?"})
	f(`{"transcript":"My parcel","is_final":true,"speech_final":false}`, Event{Kind: Piece, Text: "My parcel"})
	f(`{"transcript":"","is_final":true,"speech_final":false}`, Event{Kind: Noise})
	f(`{"transcript":"is late.","is_final":"true","speech_final":true}`, Event{Kind: Final, Text: "is late."})
	f(`{"transcript":"","is_final":true,"speech_final":true}`, Event{Kind: Final})
	f(`{"transcript":"Oh","is_final":true,"speech_final":false,"utterance_end":true}`, Event{Kind: Piece, Text: "Oh"}, Event{Kind: Boundary})
	f(`{"utterance_end":true}`, Event{Kind: Boundary})
	f(`{"errors":[{"code":"10015","title":"Bad Request","detail":"no audio"}]}`, Event{Kind: Failure, Text: "no audio"})
	f(`{"error":"gone"}`, Event{Kind: Failure, Text: "gone"})
	f(`{"news":1}`, Event{Kind: Unknown})
	checkFinish(t, d)
}
