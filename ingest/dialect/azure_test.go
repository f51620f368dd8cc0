package dialect

import (
	"errors"
	"strings"
	"testing"
)

func TestAzure(t *testing.T) {
	d, err := newAzure(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	framed := func(path, body string) string {
		return "Path: " + path + "\r\nX-RequestId: T1\r\nContent-Type: application/json\r\n\r\n" + body
	}
	f(framed("turn.start", `{"context":{"serviceTag":"x"}}`), Event{Kind: Begin, Session: "T1"})
	f(framed("speech.hypothesis", `{"Text":"my parcel","Offset":0,"Duration":1}`))
	f(framed("speech.phrase", `{"Id":"p1","RecognitionStatus":"Success","Offset":49105000,"Duration":27105000,"Channel":1,"SpeakerId":"Unknown","NBest":[{"Lexical":"no","ITN":"","Display":" No. "}]}`),
		Event{Kind: Final, Session: "T1", ID: "p1", Text: "No.", Channel: "1", Start: Offset(4911), End: Offset(7621)})
	f(framed("speech.phrase", `{"RecognitionStatus":"Success","DisplayText":""}`), Event{Kind: Final, Session: "T1"})
	f(framed("speech.endDetected", `{"Offset":1}`), Event{Kind: Noise, Session: "T1"})
	f(framed("speech.keyword", `{}`), Event{Kind: Unknown, Session: "T1"})
	f(framed("Turn.End", ""), Event{Kind: End, Session: "T1"})
	f(strings.ReplaceAll(framed("turn.end", "{}"), "\r", ""), Event{Kind: End, Session: "T1"})

	f(`{"Text":"my parcel","Offset":0}`)
	f(`{"recognitionStatus":"Success","displayText":"No.","offset":"10000"}`, Event{Kind: Final, Text: "No.", Start: Offset(1)})
	for _, status := range []string{"NoMatch", "InitialSilenceTimeout", "BabbleTimeout"} {
		f(`{"RecognitionStatus":"`+status+`","DisplayText":"ghost","Offset":0,"Duration":0}`, Event{Kind: Noise})
	}
	for _, status := range []string{"Error", "TooManyRequests", "BadRequest", "Forbidden"} {
		f(`{"RecognitionStatus":"`+status+`"}`, Event{Kind: Failure, Text: status})
	}
	f(`{"RecognitionStatus":"EndOfDictation","Offset":1}`, Event{Kind: End})
	f(`{"RecognitionStatus":"Odd"}`, Event{Kind: Unknown})
	f(`{"context":{"serviceTag":"x"}}`, Event{Kind: Begin})
	f(`{}`, Event{Kind: Unknown})
	checkFinish(t, d)

	bad := func(frame string, want error) {
		t.Helper()
		err := d.Decode([]byte(frame), func(e Event) { t.Errorf("%q: %+v, want none", frame, e) })
		if !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", frame, err, want)
		}
	}
	bad(framed("audio", "RIFF"), ErrAudio)
	bad(framed("speech.phrase", "no JSON"), ErrFrame)
	bad("no frame at all", ErrFrame)
	bad("", ErrFrame)
	bad(strings.Repeat("a:b\r\n", 5000)+"\r\n{}", ErrFrame)
}
