package dialect

import (
	"net/url"
	"strings"
	"testing"
)

func TestAssemblyAI(t *testing.T) {
	var d Decoder
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	open := func(query string) {
		t.Helper()
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if d, err = newAssemblyAI(Options{Values: values}); err != nil {
			t.Fatal(err)
		}
	}
	const (
		partial   = `{"type":"Turn","turn_order":0,"end_of_turn":false,"transcript":"good"}`
		plain     = `{"type":"Turn","turn_order":0,"end_of_turn":true,"turn_is_formatted":false,"transcript":"good bye","words":[{"start":"100","end":400,"text":"good","speaker":"A"}]}`
		formatted = `{"type":"Turn","turn_order":0,"end_of_turn":true,"turn_is_formatted":true,"transcript":"Good bye.","speaker_label":"B"}`
	)
	said := Event{Kind: Final, Session: "s1", ID: "0", Text: "good bye", Speaker: "A", Start: Offset(100), End: Offset(400)}
	held := said
	held.Hold = true
	better := Event{Kind: Final, Session: "s1", ID: "0", Text: "Good bye.", Speaker: "B"}

	// Nothing says that turns are formatted, until one is.
	open("")
	f(`{"type":"Begin","id":"s1","expires_at":1790000000}`, Event{Kind: Begin, Session: "s1"})
	f(partial)
	f(plain, said)
	f(formatted, better)
	f(plain, held)

	open("format_turns=true")
	f(`{"type":"Begin","id":"s1"}`, Event{Kind: Begin, Session: "s1"})
	f(plain, held)

	open("format_turns=false")
	f(`{"type":"Begin","id":"s1","configuration":{"format_turns":true}}`, Event{Kind: Begin, Session: "s1"})
	f(plain, held)

	f(`{"type":"SpeakerRevision","revisions":[{"turn_order":0,"speaker_label":"B"},{"turn_order":1}]}`,
		Event{Kind: Revision, Session: "s1", ID: "0", Speaker: "B"}, Event{Kind: Revision, Session: "s1", ID: "1"})
	f(`{"type":"Turn","turn_order":1,"end_of_turn":true,"turn_is_formatted":true,"transcript":""}`, Event{Kind: Final, Session: "s1", ID: "1"})
	f(`{"type":"Heartbeat"}`, Event{Kind: Noise})
	f(`{"type":"Termination"}`, Event{Kind: End, Session: "s1"})
	f(`{"type":"Error","error_code":3005,"error":"Session expired"}`, Event{Kind: Failure, Session: "s1", Text: "3005: Session expired"})
	f(`{"type":"News"}`, Event{Kind: Unknown})
	f(`{"news":1}`, Event{Kind: Unknown})
	checkFinish(t, d)

	// The webhook after the session has both versions of a turn.
	open("")
	f(`{"session_id":"s1","messages":[`+plain+`,`+formatted+`,{"type":"News"}]}`, held, better, Event{Kind: End, Session: "s1"})

	if _, err := newAssemblyAI(Options{Values: url.Values{"format_turns": {"maybe"}}}); err == nil || !strings.Contains(err.Error(), `format_turns is "maybe"`) {
		t.Errorf("error %v, want one that names the option and its fault", err)
	}
}
