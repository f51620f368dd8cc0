package dialect

import "testing"

func TestGoogle(t *testing.T) {
	d, err := newGoogle(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	said := func(text, channel string, start, end Instant) Event {
		return Event{Kind: Final, Session: "7", Text: text, Channel: channel, Start: start, End: end}
	}
	// Without words a final has no start.
	f(`{"requestId":"7","results":[{"alternatives":[{"transcript":" Yes."}],"isFinal":true,"resultEndTime":"1.200s","channelTag":1}]}`,
		said("Yes.", "1", Instant{}, Offset(1200)))
	f(`{"requestId":"7","results":[{"alternatives":[{"transcript":"Who?"}],"isFinal":true,"resultEndTime":"2s","channelTag":2},
		{"alternatives":[{"transcript":"ma"}],"channelTag":1},
		{"alternatives":[{"transcript":" My parcel."}],"isFinal":true,"resultEndTime":"3.000000001s","channelTag":1}]}`,
		said("Who?", "2", Instant{}, Offset(2000)), said("My parcel.", "1", Instant{}, Offset(3000)))
	// A word that starts at 0 has no start.
	f(`{"metadata":{"request_id":"8"},"results":[{"alternatives":[{"transcript":"Hi.","words":[{"word":"Hi.","endOffset":"0.400s"}]}],"isFinal":true}]}`,
		Event{Kind: Final, Session: "8", Text: "Hi.", Start: Offset(0), End: Offset(400)})
	// Words that go back are on a clock that began anew.
	f(`{"results":[{"alternatives":[{"transcript":"Oh hi.","words":[{"word":"Oh","startOffset":"0.100s","endOffset":"0.200s"},{"word":"hi.","startOffset":"0.300s","endOffset":"0.500s"}]}],"isFinal":true}]}`,
		Event{Kind: Final, Session: "8", Text: "Oh hi.", Start: Offset(100), End: Offset(500)})
	// Another request is another clock.
	f(`{"requestId":"7","results":[{"alternatives":[{"transcript":"So."}],"isFinal":true,"resultEndTime":"5s","channelTag":1}]}`,
		said("So.", "1", Instant{}, Offset(5000)))
	// An end may go back.
	f(`{"requestId":"7","results":[{"alternatives":[{"transcript":"So."}],"isFinal":true,"resultEndTime":"0.5s","channelTag":1}]}`,
		said("So.", "1", Instant{}, Offset(500)))

	f(`{"results":[{"alternatives":[{"transcript":"So."}],"isFinal":true,"channelTag":1}]}`, said("So.", "1", Instant{}, Instant{}))

	f(`{"results":[{"isFinal":true}]}`, said("", "", Instant{}, Instant{}))
	f(`{"results":[]}`, Event{Kind: Noise, Session: "7"})
	f(`{"metadata":{"totalBilledDuration":"1s"}}`, Event{Kind: Noise, Session: "7"})
	f(`{"type":"error","error":"stream failed"}`, Event{Kind: Failure, Session: "7", Text: "stream failed"})
	f(`{"error":{"code":11,"message":"Too long."}}`, Event{Kind: Failure, Session: "7", Text: "11: Too long."})
	f(`{"news":1}`, Event{Kind: Unknown})
	checkFinish(t, d)
}

// TestGoogleDiarization: the words of a final repeat all that was said.
func TestGoogleDiarization(t *testing.T) {
	d, err := newGoogle(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(transcript, words string, want ...Event) {
		t.Helper()
		check(t, d, `{"results":[{"alternatives":[{"transcript":"`+transcript+`","words":[`+words+`]}],"isFinal":true}]}`, want...)
	}
	said := func(text, speaker string, start, end int64) Event {
		return Event{Kind: Final, Text: text, Speaker: speaker, Start: Offset(start), End: Offset(end)}
	}
	const (
		one   = `{"word":"Good","startTime":"1s","endTime":"1.500s","speakerTag":1},{"word":"day.","startTime":"1.500s","endTime":"2s","speakerTag":1}`
		two   = `,{"word":"Hello.","startTime":"3s","endTime":"3.500s","speakerLabel":"2"}`
		three = `,{"word":"How","startTime":"4s","endTime":"4.200s","speakerLabel":"2"},{"word":"So.","startTime":"4.200s","endTime":"4.400s","speakerLabel":"1"}`
	)
	f("Good day.", one, said("Good day.", "1", 1000, 2000))
	f(" Hello.", one+two, said("Hello.", "2", 3000, 3500))
	f(" How  So.", one+two+three, said("How", "2", 4000, 4200), said("So.", "1", 4200, 4400))
	// The transcript is what was said: words that differ do not part it.
	f("How are you? So.", one+two+three, said("How are you? So.", "2", 3000, 4400))
	f("", one+two+three, Event{Kind: Final})
	// Only the first word of all may have its start left out.
	f("Yes.", one+two+three+`,{"word":"Yes.","endTime":"5s"}`, Event{Kind: Final, Text: "Yes.", End: Offset(5000)})
	// Without times the last words count.
	f("No. Yes.", `{"word":"Oh","speakerTag":3},{"word":"No.","speakerTag":1},{"word":"Yes.","speakerTag":2}`,
		Event{Kind: Final, Text: "No.", Speaker: "1"}, Event{Kind: Final, Text: "Yes.", Speaker: "2"})
}
