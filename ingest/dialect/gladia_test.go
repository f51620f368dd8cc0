package dialect

import "testing"

func TestGladia(t *testing.T) {
	d, err := newGladia(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(kind, rest string, want Event) {
		t.Helper()
		want.Session = "s1"
		frame := `{"session_id":"s1","type":"` + kind + `"` + rest + `}`
		check(t, d, frame, want)
		// The callback says the same.
		check(t, d, `{"id":"s1","event":"live.`+kind+`","payload":`+frame+`}`, want)
		check(t, d, `{"id":"s1","event":"live.`+kind+`","payload":{"type":"`+kind+`"`+rest+`}}`, want)
	}
	check(t, d, `{"session_id":"s1","type":"transcript","data":{"id":"1","is_final":false,"utterance":{"text":"my"}}}`)
	check(t, d, `{"id":"s1","event":"live.transcript","payload":{"type":"transcript","data":{"is_final":false}}}`)
	f("transcript", `,"data":{"id":"00_1","is_final":true,"utterance":{"text":" No.","start":1.5,"end":"2","channel":1,"speaker":0}}`,
		Event{Kind: Final, ID: "00_1", Text: "No.", Channel: "1", Speaker: "0", Start: Offset(1500), End: Offset(2000)})
	f("transcript", `,"error":null,"data":{"is_final":true}`, Event{Kind: Final})
	f("speech_end", `,"data":{"time":2}`, Event{Kind: Boundary, End: Offset(2000)})
	for _, kind := range []string{"speech_start", "start_recording", "stop_recording", "translation", "sentiment_analysis", "named_entity_recognition",
		"post_transcript", "post_final_transcript", "post_summarization"} {
		f(kind, `,"data":{"id":"00_1","is_final":true,"utterance":{"text":"No."},"utterances":[{"text":"No."}]}`, Event{Kind: Noise})
	}
	f("audio_chunk", `,"acknowledged":true,"error":null`, Event{Kind: Noise})
	f("audio_chunk", `,"acknowledged":false,"error":{"message":"Bad"}`, Event{Kind: Failure, Text: "Bad"})
	f("translation", `,"error":{"status_code":500,"exception":"E","message":"Bad"},"data":null`, Event{Kind: Failure, Text: "500: E: Bad"})
	f("start_session", "", Event{Kind: Begin})
	f("end_recording", "", Event{Kind: End})
	f("end_session", "", Event{Kind: End})
	f("news", "", Event{Kind: Unknown})
	checkFinish(t, d)
}
