package dialect

import (
	"fmt"
	"testing"
)

func TestWhisperLive(t *testing.T) {
	d, err := newWhisperLive(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	segment := func(start, end, text string, more string) string {
		return fmt.Sprintf(`{"start":%q,"end":%q,"text":%q%s}`, start, end, text, more)
	}
	thanks := segment("0.300", "3.900", " Thanks for calling.", `,"completed":true`)
	parcel := segment("4.910", "7.620", " My parcel is late.", `,"completed":true,"speaker":"SPEAKER_01"`)
	final := Event{Kind: Final, Text: "My parcel is late.", Start: Offset(4910), End: Offset(7620), Speaker: "SPEAKER_01", Session: "u"}

	f(`{"uid":"u","message":"SERVER_READY","backend":"faster_whisper"}`, Event{Kind: Begin, Session: "u"})
	f(`{"uid":"u","language":"en","language_prob":0.98}`, Event{Kind: Noise, Session: "u"})
	f(`{"uid":"u","segments":[`+thanks+`,`+segment("4.910", "6.410", " My parcel", `,"completed":false`)+`]}`,
		Event{Kind: Final, Text: "Thanks for calling.", Start: Offset(300), End: Offset(3900), Session: "u"},
		Event{Kind: Partial, Text: "My parcel", Start: Offset(4910), End: Offset(6410), Session: "u"})
	f(`{"uid":"u","segments":[`+thanks+`,`+parcel+`]}`, final)
	f(`{"uid":"u","segments":[` + thanks + `,` + parcel + `]}`)
	f(`{"uid":"u","segments":[]}`)
	f(`{"uid":"u","translated_segments":[`+thanks+`]}`, Event{Kind: Noise, Session: "u"})
	f(`{"uid":"u","segments":[`+segment("8.000", "9.000", " Sure.", "")+`]}`,
		Event{Kind: Partial, Text: "Sure.", Start: Offset(8000), End: Offset(9000), Session: "u"})

	sure := Event{Kind: Final, Text: "Sure.", Start: Offset(8000), End: Offset(9000), Session: "u"}
	f(`{"uid":"u","message":"DISCONNECT"}`, sure, Event{Kind: End, Session: "u"})
	checkFinish(t, d)

	// The server's next session counts from 0, and may say the same again.
	f(`{"uid":"u","message":"SERVER_READY"}`, Event{Kind: Begin, Session: "u"})
	f(`{"uid":"u","segments":[`+parcel+`,`+segment("8.000", "9.000", " Sure.", "")+`]}`, final,
		Event{Kind: Partial, Text: "Sure.", Start: Offset(8000), End: Offset(9000), Session: "u"})
	checkFinish(t, d, sure)
	checkFinish(t, d)

	f(`{"uid":"u","status":"WAIT","message":2.5}`, Event{Kind: Failure, Text: "WAIT 2.5", Session: "u"})
	f(`{"uid":"u","status":"ERROR","message":"no model"}`, Event{Kind: Failure, Text: "no model", Session: "u"})
	f(`{"uid":"u","status":"WARNING","message":"slow"}`, Event{Kind: Noise, Session: "u"})
	f(`{"uid":"u","news":1}`, Event{Kind: Unknown, Session: "u"})
}

// A server that repeats its ten newest segments for ever has each taken once,
// and little is remembered.
func TestWhisperLiveTakesOnce(t *testing.T) {
	d, err := newWhisperLive(Options{})
	if err != nil {
		t.Fatal(err)
	}
	finals := 0
	const n = 3000
	for i := range n {
		frame := `{"segments":[`
		for j := max(0, i-9); j <= i; j++ {
			frame += fmt.Sprintf(`{"start":"%d","end":"%d","text":"x","completed":true},`, j, j+1)
		}
		frame += `{"start":"9999","text":"under way"}]}`
		if err := d.Decode([]byte(frame), func(Event) { finals++ }); err != nil {
			t.Fatal(err)
		}
	}
	if finals != n {
		t.Errorf("%d finals of %d segments", finals, n)
	}
	if got := len(d.(*whisperLive).taken); got > maxTaken {
		t.Errorf("%d segments are remembered, want at most %d", got, maxTaken)
	}
}
