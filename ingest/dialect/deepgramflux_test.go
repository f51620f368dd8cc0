package dialect

import "testing"

func TestDeepgramFlux(t *testing.T) {
	d, err := newDeepgramFlux(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"type":"Connected","request_id":"r1","sequence_id":0}`, Event{Kind: Begin, Session: "r1"})
	for _, event := range []string{"StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed"} {
		f(`{"type":"TurnInfo","request_id":"r1","event":"` + event + `","turn_index":3,"transcript":"My parcel"}`)
	}
	f(`{"words":[{"word":"No.","start":1,"end":1.5}],"transcript":"No.","turn_index":3,"event":"EndOfTurn","type":"TurnInfo"}`,
		Event{Kind: Final, Session: "r1", ID: "3", Text: "No.", Start: Offset(1000), End: Offset(1500)})
	f(`{"type":"TurnInfo","event":"EndOfTurn","turn_index":"4","transcript":"."}`, Event{Kind: Final, Session: "r1", ID: "4"})
	f(`{"type":"TurnInfo","event":"Hiccup","transcript":"No."}`, Event{Kind: Unknown})
	f(`{"type":"ConfigureSuccess"}`, Event{Kind: Noise})
	f(`{"type":"Error","code":"NET","description":"It broke"}`, Event{Kind: Failure, Session: "r1", Text: "NET: It broke"})
	f(`{"type":"News"}`, Event{Kind: Unknown})
	checkFinish(t, d)
}
