package dialect

import (
	"strings"
	"testing"
)

func TestSpeechmatics(t *testing.T) {
	d, err := newSpeechmatics(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	// word is a result, with what else is in it.
	word := func(content, speaker, more string) string {
		return `{"type":"word","start_time":1,"end_time":2` + more + `,"alternatives":[{"content":"` + content + `","speaker":"` + speaker + `"}]}`
	}
	final := func(transcript string, results ...string) string {
		return `{"message":"AddTranscript","channel":"agent","metadata":{"start_time":1,"end_time":2,"transcript":"` + transcript + `"},"results":[` + strings.Join(results, ",") + `]}`
	}
	piece := Event{Kind: Piece, Session: "s1", Channel: "agent", Glued: true, Start: Offset(1000), End: Offset(2000)}
	says := func(text, speaker string) Event {
		e := piece
		e.Text, e.Speaker = text, speaker
		return e
	}
	change := Event{Kind: Boundary, Session: "s1", Channel: "agent"}
	over := Event{Kind: Boundary, Session: "s1", Channel: "agent", End: Offset(2000)}
	const eos, previous = `,"is_eos":true`, `,"attaches_to":"previous","type":"punctuation"`

	f(`{"message":"RecognitionStarted","id":"s1"}`, Event{Kind: Begin, Session: "s1"})
	f(`{"message":"AddPartialTranscript","metadata":{"transcript":"Good"}}`)
	// White space is the engine's.
	f(final("Good ", word("Good", "S1", "")), says("Good ", "S1"))
	f(final("bye", word("bye", "S1", "")), says("bye", "S1"))
	f(final(". ", word(".", "S1", previous+eos)), says(". ", "S1"), over)
	// Two sentences, and the second of two speakers.
	f(final("Yes. And you ", word("Yes", "S1", ""), word(".", "UU", previous+eos), word("And", "S1", ""), word("you", "S2", "")),
		says("Yes.", "S1"), over, says("And", "S1"), change, says("you ", "S2"))
	f(final("I ", word("I", "S1", "")), change, says("I ", "S1"))
	f(final("", word("$", "S1", `,"attaches_to":"next"`), word("5", "S1", "")), says("$5", "S1"))
	f(final("who", word("who", "UU", "")), says("who", ""))
	f(final("bare"), says("bare", ""))
	f(final("S1 ", word("S1", "S1", "")), says("S1 ", "S1"))
	f(final(""), Event{Kind: Noise})

	f(`{"message":"EndOfUtterance","metadata":{"start_time":8.12,"end_time":8.12}}`, Event{Kind: Boundary, Session: "s1", End: Offset(8120)})
	f(`{"message":"AudioAdded","seq_no":1}`, Event{Kind: Noise})
	f(`{"message":"Error","type":"idle_timeout","code":4005,"reason":"No audio"}`, Event{Kind: Failure, Session: "s1", Text: "idle_timeout: 4005: No audio"})
	f(`{"message":"EndOfTranscript"}`, Event{Kind: End, Session: "s1"})
	f(`{"message":"News"}`, Event{Kind: Unknown})

	// Another session, in a language without spaces. Its S2 follows nobody.
	f(`{"message":"RecognitionStarted","id":"s1","language_pack_info":{"word_delimiter":""}}`, Event{Kind: Begin, Session: "s1"})
	f(final("", word("你", "S2", ""), word("好", "S2", "")), says("你好", "S2"))
	checkFinish(t, d)
}
