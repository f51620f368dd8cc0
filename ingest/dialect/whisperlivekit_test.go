package dialect

import (
	"fmt"
	"strings"
	"testing"
)

// kitLine is a line as the server writes it.
func kitLine(speaker int, start, end, text string) string {
	return fmt.Sprintf(`{"speaker":%d,"start":"0:00:%s","end":"0:00:%s","text":%q}`, speaker, start, end, text)
}

func kitState(more string, lines ...string) string {
	return `{"status":"active_transcription","lines":[` + strings.Join(lines, ",") + `]` + more + `}`
}

func kitFinal(speaker, text string, start, end int64) Event {
	l := line{speaker: speaker, text: text, start: Offset(start), end: Offset(end)}
	return Event{Kind: Final, Text: text, Start: l.start, End: l.end, Speaker: speaker, ID: l.id()}
}

func kitFrames(t *testing.T, partials bool) (Decoder, func(string, ...Event)) {
	t.Helper()
	d, err := newWhisperLiveKit(Options{Partials: partials})
	if err != nil {
		t.Fatal(err)
	}
	return d, func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
}

func TestWhisperLiveKit(t *testing.T) {
	d, f := kitFrames(t, true)
	hello, parcel := kitFinal("1", "Hello.", 0, 3000), kitFinal("2", "My parcel is late.", 4000, 7000)
	f(`{"type":"config","useAudioWorklet":true}`, Event{Kind: Begin})
	f(`{"status":"no_audio_detected","lines":[]}`)
	f(kitState(`,"buffer_transcription":" is"`, kitLine(1, "00", "03", "Hello."), kitLine(2, "04", "06", "My parcel")),
		hello, Event{Kind: Partial, Text: "My parcel is", Start: Offset(4000), Speaker: "2"})
	// Silence is a line, so the one before is not the last any more.
	silence := `{"speaker":-2,"text":null,"start":"0:00:07","end":"0:00:15"}`
	f(kitState("", kitLine(1, "00", "03", "Hello."), kitLine(2, "04", "07", "My parcel is late."), silence), parcel)
	f(kitState("", kitLine(1, "00", "03", "Hello."), kitLine(2, "04", "07", "My parcel is late."), silence))
	f(kitState(`,"buffer_transcription":"So"`, kitLine(1, "00", "03", "Hello."), silence), Event{Kind: Partial, Text: "So", Start: Offset(15000)})
	f(kitState("", kitLine(1, "00", "03", "Hello."), silence, kitLine(2, "15", "16", "So?")),
		Event{Kind: Partial, Text: "So?", Start: Offset(15000), End: Offset(16000), Speaker: "2"})
	f(`{"type":"ready_to_stop"}`, kitFinal("2", "So?", 15000, 16000), Event{Kind: End})
	checkFinish(t, d)

	f(`{"lines":[{"speaker":1,"text":"When?","start":"soon"},{"speaker":1,"text":null}]}`, Event{Kind: Final, Text: "When?", Speaker: "1", ID: line{speaker: "1", text: "When?"}.id()})
	f(`{"error":"no ffmpeg"}`, Event{Kind: Failure, Text: "no ffmpeg"})
	f(`{"type":"news"}`, Event{Kind: Unknown})

	// A new decoder, in the middle: the same words under the same names.
	d, f = kitFrames(t, false)
	f(kitState(`,"buffer_transcription":" No."`, kitLine(1, "00", "03", "Hello."), kitLine(2, "04", "07", "My parcel is late."), kitLine(1, "08", "09", "Oh.")), hello, parcel)
	end := kitFinal("1", "Oh. No.", 8000, 0)
	end.End = Instant{}
	checkFinish(t, d, end)
	checkFinish(t, d)
}

// R2: what changes after it was given is told of once and not given again.
func TestWhisperLiveKitRevisions(t *testing.T) {
	_, f := kitFrames(t, false)
	revision := func(speaker, text string, start int64) Event {
		return Event{Kind: Revision, ID: kitFinal(speaker, text, start, 0).ID}
	}
	last := kitLine(1, "20", "21", "Last")
	f(kitState("", kitLine(1, "00", "10", "One two three."), last), kitFinal("1", "One two three.", 0, 10000))
	for range 2 {
		f(kitState("", kitLine(1, "00", "10", "One two three."), last))
	}
	f(kitState("", kitLine(1, "00", "05", "One"), kitLine(2, "05", "10", "two three."), last), revision("1", "One", 0), revision("2", "two three.", 5000))
	f(kitState("", kitLine(1, "00", "05", "One"), kitLine(2, "05", "10", "two three."), last))

	// Another speaker, and a part of what was given.
	_, f = kitFrames(t, false)
	f(kitState("", kitLine(1, "00", "10", "One two."), last), kitFinal("1", "One two.", 0, 10000))
	f(kitState("", kitLine(2, "00", "10", "One two."), last), revision("2", "One two.", 0))
	f(kitState("", kitLine(2, "00", "10", "One two."), last))
	f(kitState("", kitLine(2, "00", "10", "One two."), kitLine(1, "10", "10", "two."), last), kitFinal("1", "two.", 10000, 10000))

	// Several lines of one speaker in one second are several.
	_, f = kitFrames(t, false)
	f(kitState("", kitLine(1, "00", "00", "Yes."), kitLine(1, "00", "00", "No."), last), kitFinal("1", "Yes.", 0, 0), kitFinal("1", "No.", 0, 0))
	f(kitState("", kitLine(1, "00", "00", "Yes."), kitLine(1, "00", "00", "No."), last))
}

func TestWhisperLiveKitDiff(t *testing.T) {
	d, f := kitFrames(t, false)
	diff := func(n, pruned int, lines ...string) string {
		return fmt.Sprintf(`{"type":"diff","seq":2,"n_lines":%d,"lines_pruned":%d,"new_lines":[%s]}`, n, pruned, strings.Join(lines, ","))
	}
	f(`{"type":"snapshot","seq":1,"lines":[`+kitLine(1, "00", "01", "One.")+`,`+kitLine(2, "02", "03", "Two")+`]}`, kitFinal("1", "One.", 0, 1000))
	f(diff(2, 0, kitLine(2, "02", "04", "Two and"))) // it grew
	f(diff(2, 0))
	f(diff(3, 0, kitLine(2, "02", "05", "Two and more."), kitLine(1, "06", "07", "Three.")), kitFinal("2", "Two and more.", 2000, 5000))
	f(diff(3, 1, kitLine(2, "08", "09", "Four.")), kitFinal("1", "Three.", 6000, 7000))
	f(`{"type":"diff","new_lines":[`+kitLine(2, "10", "11", "Five.")+`]}`, kitFinal("2", "Four.", 8000, 9000))
	checkFinish(t, d, kitFinal("2", "Five.", 10000, 11000))
}

// R4: the engine's next session may say the same at the same time.
func TestWhisperLiveKitNextSession(t *testing.T) {
	d, f := kitFrames(t, false)
	f(kitState("", kitLine(1, "00", "01", "One."), kitLine(1, "20", "21", "Two."), kitLine(1, "30", "31", "End.")), kitFinal("1", "One.", 0, 1000), kitFinal("1", "Two.", 20000, 21000))
	f(kitState("", kitLine(1, "00", "01", "One."), kitLine(1, "02", "03", "Three.")),
		kitFinal("1", "End.", 30000, 31000), Event{Kind: Begin}, kitFinal("1", "One.", 0, 1000))
	checkFinish(t, d, kitFinal("1", "Three.", 2000, 3000))
}

// R3: a state that grows for ever has each line given once, and little is
// remembered.
func TestWhisperLiveKitGivesOnce(t *testing.T) {
	d, _ := kitFrames(t, false)
	finals, lines := 0, []string{}
	const n = 500
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"speaker":1,"start":"0:%02d:%02d","end":"0:%02d:%02d","text":"x"}`, i/60, i%60, i/60, i%60))
		if err := d.Decode([]byte(kitState("", lines...)), func(Event) { finals++ }); err != nil {
			t.Fatal(err)
		}
	}
	if finals != n-1 {
		t.Errorf("%d lines were given, want %d", finals, n-1)
	}
	if got := len(d.(*whisperLiveKit).given); got > maxGiven {
		t.Errorf("%d lines are remembered, want at most %d", got, maxGiven)
	}
}
