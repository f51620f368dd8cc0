package dialect

import "testing"

func TestRiva(t *testing.T) {
	d, err := newRiva(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"results":[{"alternatives":[{"transcript":"my parcel"}],"stability":0.1,"channelTag":1,"audioProcessed":5.9}],"id":{"value":"r1"}}`,
		Event{Kind: Partial, Text: "my parcel", Channel: "1", Session: "r1"})
	// Two channels in one answer; the times of words, which are milliseconds.
	f(`{"results":[
		{"alternatives":[{"transcript":"My parcel. ","confidence":-0.21,"words":[{"startTime":4910,"endTime":5060,"word":"My","speakerTag":0},{"startTime":5060,"endTime":"7620","word":"parcel.","speakerTag":0}]}],"isFinal":true,"channelTag":1,"audioProcessed":8.3},
		{"alternatives":[{"transcript":"Yes.","words":[{"start_time":100,"end_time":200,"speaker_tag":2}]}],"is_final":true,"channel_tag":2}],"id":{"value":"r1"}}`,
		Event{Kind: Final, Text: "My parcel.", Start: Offset(4910), End: Offset(7620), Channel: "1", Session: "r1"},
		Event{Kind: Final, Text: "Yes.", Start: Offset(100), End: Offset(200), Channel: "2", Speaker: "2", Session: "r1"})
	f(`{"results":[{"alternatives":[{"transcript":"Yes. No.","words":[{"speakerTag":1},{"speakerTag":2}]}],"isFinal":"true","audioProcessed":8.3}]}`,
		Event{Kind: Final, Text: "Yes. No.", End: Offset(8300)})
	f(`{"results":[{"alternatives":[{"transcript":""}],"isFinal":true}]}`, Event{Kind: Final})
	f(`{"results":[{"audioProcessed":9.1,"pipelineStates":{"vadProbabilities":[0.02]}}]}`, Event{Kind: Noise})
	f(`{"results":[]}`, Event{Kind: Noise})
	f(`{"error":{"code":3,"message":"bad rate"}}`, Event{Kind: Failure, Text: "bad rate"})
	f(`{"error":"gone"}`, Event{Kind: Failure, Text: "gone"})
	f(`{"x":1}`, Event{Kind: Unknown})
}

func TestRivaRealtime(t *testing.T) {
	d, err := newRiva(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	const step = `"type":"conversation.item.input_audio_transcription.`
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"type":"conversation.created","conversation":{"id":"conv_1"}}`, Event{Kind: Begin, Session: "conv_1"})
	f(`{`+step+`delta","item_id":"msg_3","delta":"My"}`, Event{Kind: Partial, Text: "My", ID: "msg_3"})
	f(`{`+step+`delta","delta":"..."}`, Event{Kind: Partial})
	// Several results of one item are several, and the same however they come.
	word := func(start string) string {
		return `{` + step + `completed","item_id":"msg_3","transcript":"My parcel","is_last_result":false,"words_info":{"words":[{"word":"My","start_time":` + start + `,"end_time":5060,"speaker_tag":1}]}}`
	}
	f(word("4910"), Event{Kind: Final, Text: "My parcel", Start: Offset(4910), End: Offset(5060), Speaker: "1", ID: "msg_3@4910"})
	f(word("5000"), Event{Kind: Final, Text: "My parcel", Start: Offset(5000), End: Offset(5060), Speaker: "1", ID: "msg_3@5000"})
	f(`{`+step+`completed","item_id":"msg_4","transcript":"","is_last_result":true}`, Event{Kind: Final, ID: "msg_4"}, Event{Kind: End})
	f(`{`+step+`failed","error":{"message":"gone"}}`, Event{Kind: Failure, Text: "gone"})
	f(`{"type":"input_audio_buffer.committed"}`, Event{Kind: Noise})
	f(`{"type":"news"}`, Event{Kind: Unknown})
	checkFinish(t, d)
}
