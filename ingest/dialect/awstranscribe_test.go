package dialect

import (
	"strings"
	"testing"
)

func TestAWSTranscribe(t *testing.T) {
	d, err := newAWSTranscribe(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	results := func(all ...string) string {
		return `{"Transcript":{"Results":[` + strings.Join(all, ",") + `]}}`
	}
	const (
		partial = `{"ResultId":"r1","IsPartial":true,"ChannelId":"ch_0","Alternatives":[{"Transcript":"my"}]}`
		final   = `{"Alternatives":[{"Transcript":"My parcel."}],"ChannelId":"ch_1","IsPartial":false,"EndTime":"2.5","StartTime":1,"ResultId":"r2"}`
	)
	said := Event{Kind: Final, ID: "r2", Channel: "ch_1", Text: "My parcel.", Start: Offset(1000), End: Offset(2500)}
	f(results(partial))
	f(results(partial, partial))
	f(results(partial, final), said)
	f(results(final, partial), said)
	f(results(`{"ResultId":"r2","ChannelId":"ch_1","StartTime":1,"EndTime":2.5,"Alternatives":[{"Transcript":"My parcel."}]}`), said)
	f(strings.ToLower(results(`{"ResultId":"r2","Alternatives":[]}`)), Event{Kind: Final, ID: "r2"})
	f(`{"transcript_event":{"transcript":{"results":[{"result_id":"r2","is_partial":true}]}}}`)
	f(`{"transcript_event":{"transcript":{"results":[{"result_id":"r2","is_partial":false,"start_time":3,"end_time":2}]}}}`,
		Event{Kind: Final, ID: "r2", Start: Offset(3000)})
	f(results(), Event{Kind: Noise})

	// One result of two speakers.
	f(results(`{"ResultId":"r3","IsPartial":false,"Alternatives":[{"Transcript":"Yes. No.","Items":[
		{"Content":"Yes","StartTime":1,"EndTime":2,"Speaker":"spk_0","Type":"pronunciation"},{"Content":".","StartTime":2,"EndTime":2,"Type":"punctuation"},
		{"Content":"No","StartTime":3,"EndTime":4,"Speaker":"spk_1","Type":"pronunciation"},{"Content":".","Type":"punctuation"}]}]}`),
		Event{Kind: Final, ID: "r3", Text: "Yes.", Speaker: "spk_0", Start: Offset(1000), End: Offset(2000)},
		Event{Kind: Final, ID: "r3/1", Text: "No.", Speaker: "spk_1", Start: Offset(3000), End: Offset(4000)})

	f(`{"UtteranceEvent":{"UtteranceId":"u1","IsPartial":true,"Transcript":"my"}}`)
	f(`{"utteranceId":"u1","isPartial":false,"participantRole":"AGENT","beginOffsetMillis":10,"endOffsetMillis":20,"transcript":"Yes."}`,
		Event{Kind: Final, ID: "u1", Channel: "AGENT", Text: "Yes.", Start: Offset(10), End: Offset(20)})
	f(`{"CategoryEvent":{}}`, Event{Kind: Noise})
	f(`{"limit_exceeded_exception":{"message":"Too big."}}`, Event{Kind: Failure, Text: "limit_exceeded_exception: Too big."})
	f(`{"__type":"ConflictException","message":"Again."}`, Event{Kind: Failure, Text: "ConflictException: Again."})
	f(`{"News":1}`, Event{Kind: Unknown})
	checkFinish(t, d)
}
