package dialect

import (
	"fmt"
	"strings"
	"testing"
)

func TestSoniox(t *testing.T) {
	d, err := newSoniox(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	// token is a final one of speaker 1, 100 ms long.
	token := func(text string, start int) string {
		return fmt.Sprintf(`{"text":%q,"start_ms":%d,"end_ms":%d,"is_final":true,"speaker":"1"}`, text, start, start+100)
	}
	tail := func(token string) string { return strings.Replace(token, "true", "false", 1) }
	other := func(token string) string { return strings.Replace(token, `"1"`, `2`, 1) }
	f := func(tokens []string, want ...Event) {
		t.Helper()
		check(t, d, `{"tokens":[`+strings.Join(tokens, ",")+`]}`, want...)
	}
	says := func(kind Kind, text, speaker string, start, end int64) Event {
		return Event{Kind: kind, Text: text, Glued: true, Speaker: speaker, Start: Offset(start), End: Offset(end)}
	}
	const end = `{"text":"<end>","is_final":true}`

	f(nil)
	f([]string{tail(token(" pa", 0)), tail(token("rcel", 100)), tail(`{"text":"<end>","is_final":true}`)}, says(Partial, " parcel", "1", 0, 200))
	// A final token comes once, the tail again and again.
	f([]string{token(" pa", 0), tail(token("rcel", 100))}, says(Piece, " pa", "1", 0, 100), says(Partial, "rcel", "1", 100, 200))
	f([]string{token("rcel", 100), token(" ", 200), token("e", 300), token(".", 1300), end, token(" So", 1400)},
		says(Final, "rcel e.", "1", 100, 1400), says(Piece, " So", "1", 1400, 1500))
	f([]string{`{"text":"<fin>","is_final":true}`}, Event{Kind: Final, Glued: true})

	// Another speaker, in the frame and in the next.
	f([]string{token(" Yes", 2000), other(token(" No", 2200))},
		says(Piece, " Yes", "1", 2000, 2100), Event{Kind: Boundary}, says(Piece, " No", "2", 2200, 2300))
	f([]string{token(" So", 2400)}, Event{Kind: Boundary}, says(Piece, " So", "1", 2400, 2500))
	// A gap of a second is none, more is one; after an end there is nothing to end.
	f([]string{token(" a", 3500)}, says(Piece, " a", "1", 3500, 3600))
	f([]string{token(" b", 4601)}, Event{Kind: Boundary}, says(Piece, " b", "1", 4601, 4701))
	f([]string{end, token(" c", 9000)}, Event{Kind: Final, Glued: true}, says(Piece, " c", "1", 9000, 9100))

	f([]string{`{"text":"oui","is_final":true,"translation_status":"translation"}`, token(" d", 9100)}, says(Piece, " d", "1", 9100, 9200))
	check(t, d, `{"tokens":[],"finished":true}`, Event{Kind: End})
	check(t, d, `{"tokens":[],"error_code":408,"error_message":"Timeout"}`, Event{Kind: Failure, Text: "408: Timeout"})
	check(t, d, `{"type":"keepalive"}`, Event{Kind: Noise})
	check(t, d, `{"api_key":"x","model":"stt-rt"}`, Event{Kind: Noise})
	check(t, d, `{"words":[]}`, Event{Kind: Unknown})
	checkFinish(t, d)
}
