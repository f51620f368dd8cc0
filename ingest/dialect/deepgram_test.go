package dialect

import (
	"fmt"
	"testing"
)

// deepgramResults is a frame of Deepgram's: what follows the type, and the
// words.
func deepgramResults(head, transcript, words string) string {
	return fmt.Sprintf(`{"type":"Results",%s,"channel":{"alternatives":[{"transcript":%q,"words":[%s]}]},"metadata":{"request_id":"r1"}}`, head, transcript, words)
}

func TestDeepgram(t *testing.T) {
	d, err := newDeepgram(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	const zero = `"channel_index":[0,2],"start":0,"duration":2.5,`

	// Partials are dropped without being asked for, whatever the order.
	f(deepgramResults(`"is_final":false,"start":0`, "my", ""))
	f(`{"channel":{"alternatives":[{"transcript":"\"is_final\":true"}]},"is_final" : false ,"type":"Results"}`)
	f(deepgramResults(`"start":0`, "my", ""))

	// A piece, and the end of its utterance, with the times of the segment
	// where words have none.
	f(deepgramResults(zero+`"is_final":true`, "My parcel", ""),
		Event{Kind: Piece, Text: "My parcel", Channel: "0", Session: "r1", Start: Offset(0), End: Offset(2500)})
	f(deepgramResults(`"channel_index":[0,2],"start":2.5,"is_final":true,"speech_final":true`, "", ""),
		Event{Kind: Final, Channel: "0", Session: "r1", Start: Offset(2500)})
	f(deepgramResults(`"channel_index":[0,2],"start":"3","duration":"1","is_final":"true","from_finalize":true`, " is late. ", ""),
		Event{Kind: Final, Text: "is late.", Channel: "0", Session: "r1", Start: Offset(3000), End: Offset(4000)})
	f(deepgramResults(zero+`"is_final":true`, "", ""), Event{Kind: Noise})

	// A copy that leaves is_final and type out.
	f(`{"speech_final":true,"channel":{"alternatives":[{"transcript":"Yes."}]}}`, Event{Kind: Final, Text: "Yes.", Session: "r1"})
	f(`{"type":"Results","is_final":true,"speech_final":true}`, Event{Kind: Final, Session: "r1"})

	f(`{"type":"UtteranceEnd","channel":[1,2],"last_word_end":2.395}`, Event{Kind: Boundary, Channel: "1", End: Offset(2395), Session: "r1"})
	f(`{"type":"UtteranceEnd","channel":[1,2],"last_word_end":-1}`, Event{Kind: Boundary, Channel: "1", Session: "r1"})
	f(`{"type":"KeepAlive"}`, Event{Kind: Noise})
	f(`{"type":"News"}`, Event{Kind: Unknown})
	f(`{}`, Event{Kind: Unknown})
	f(`{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}`, Event{Kind: Failure, Session: "r1", Text: "INVALID_AUTH: Invalid credentials."})
	f(`{"type":"Metadata","request_id":"r1","duration":0}`, Event{Kind: End, Session: "r1"})
	checkFinish(t, d)

	// Some copies greet with the summary.
	d, _ = newDeepgram(Options{})
	f(`{"type":"Metadata","request_id":"r2","duration":0}`, Event{Kind: Begin, Session: "r2"})
}

// TestDeepgramOverlap: a final repeats the last words of the one before.
func TestDeepgramOverlap(t *testing.T) {
	d, err := newDeepgram(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	const (
		my     = `{"word":"my","punctuated_word":"My","start":4.91,"end":5.06}`
		parcel = `{"word":"parcel","start":5.06,"end":5.47}`
		was    = `{"word":"was","start":5.45,"end":5.63}` // starts before parcel has ended: it is new
		channl = `"channel_index":[0,2],"is_final":true,`
	)
	f(deepgramResults(channl+`"start":4.5`, "My parcel", my+","+parcel),
		Event{Kind: Piece, Text: "My parcel", Channel: "0", Session: "r1", Start: Offset(4910), End: Offset(5470)})
	f(deepgramResults(`"channel_index":[1,2],"is_final":true,"start":4.5`, "My parcel", my+","+parcel),
		Event{Kind: Piece, Text: "My parcel", Channel: "1", Session: "r1", Start: Offset(4910), End: Offset(5470)})
	f(deepgramResults(channl+`"start":5`, "parcel was", parcel+","+was),
		Event{Kind: Piece, Text: "was", Channel: "0", Session: "r1", Start: Offset(5450), End: Offset(5630)})
	f(deepgramResults(channl+`"speech_final":true,"start":5`, "was", was),
		Event{Kind: Final, Channel: "0", Session: "r1", Start: Offset(5450), End: Offset(5630)})
	// A start that goes back is a clock that began anew.
	f(deepgramResults(channl+`"start":4`, "My parcel", my+","+parcel),
		Event{Kind: Piece, Text: "My parcel", Channel: "0", Session: "r1", Start: Offset(4910), End: Offset(5470)})
	// So is another session.
	f(`{"type":"Results","channel_index":[0,2],"is_final":true,"start":4.5,"metadata":{"request_id":"r2"},"channel":{"alternatives":[{"transcript":"parcel","words":[`+parcel+`]}]}}`,
		Event{Kind: Piece, Text: "parcel", Channel: "0", Session: "r2", Start: Offset(5060), End: Offset(5470)})
}

// TestDeepgramSpeakers: two speak in one result, and the second goes on in the
// next.
func TestDeepgramSpeakers(t *testing.T) {
	d, err := newDeepgram(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	const (
		yes  = `{"word":"yes","punctuated_word":"Yes.","start":1,"end":1.2,"speaker":0}`
		good = `{"word":"good","punctuated_word":"Good","start":1.5,"end":1.7,"speaker":1}`
		bye  = `{"word":"bye","punctuated_word":"bye.","start":1.7,"end":2,"speaker":1}`
		so   = `{"word":"so","start":2.1,"end":2.2,"speaker":0}`
	)
	f(deepgramResults(`"is_final":true,"start":1`, "Yes. Good", yes+","+good),
		Event{Kind: Piece, Text: "Yes.", Session: "r1", Speaker: "0", Start: Offset(1000), End: Offset(1200)},
		Event{Kind: Boundary, Session: "r1"},
		Event{Kind: Piece, Text: "Good", Session: "r1", Speaker: "1", Start: Offset(1500), End: Offset(1700)})
	f(deepgramResults(`"is_final":true,"speech_final":true,"start":1.7`, "bye.", bye),
		Event{Kind: Final, Text: "bye.", Session: "r1", Speaker: "1", Start: Offset(1700), End: Offset(2000)})
	f(deepgramResults(`"is_final":true,"start":2`, "so", so),
		Event{Kind: Boundary, Session: "r1"},
		Event{Kind: Piece, Text: "so", Session: "r1", Speaker: "0", Start: Offset(2100), End: Offset(2200)})
}
