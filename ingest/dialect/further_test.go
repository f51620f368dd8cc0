package dialect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// saying is what of a frame matters to an agent's console, in one line: kind,
// channel, speaker, times, id and words.
func saying(e Event) string {
	parts := []string{e.Kind.String()}
	for _, part := range []struct{ sign, value string }{{"ch:", e.Channel}, {"by:", e.Speaker}, {"", times(e)}, {"#", e.ID}} {
		if part.value != "" {
			parts = append(parts, part.sign+part.value)
		}
	}
	if e.Hold {
		parts = append(parts, "held")
	}
	return strings.Join(append(parts, e.Text), " ")
}

func times(e Event) string {
	if !e.Start.Known() && !e.End.Known() {
		return ""
	}
	show := func(i Instant) string {
		switch i.kind {
		case offsetInstant:
			return fmt.Sprint(i.ms)
		case absoluteInstant:
			return fmt.Sprint("@", i.ms)
		}
		return ""
	}
	return show(e.Start) + "-" + show(e.End)
}

// further decodes frames that come one after another, and compares what stands
// or ends something.
func further(t *testing.T, engine string, frames []string, want ...string) {
	t.Helper()
	d, _ := Lookup(engine)
	decoder, err := d.New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	keep := func(e Event) {
		if e.Kind != Noise && e.Kind != Unknown {
			got = append(got, saying(e))
		}
	}
	for _, frame := range frames {
		if err := decoder.Decode([]byte(frame), keep); err != nil {
			got = append(got, err.Error())
		}
	}
	decoder.Finish(keep)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s\nsays\n\t%s\nwant\n\t%s", engine, strings.Join(frames, "\n"), strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// TestFurther: frames of the engines' that are like none of the samples.
func TestFurther(t *testing.T) {
	f := func(engine string, frames []string, want ...string) { t.Helper(); further(t, engine, frames, want...) }
	f("deepgram", []string{
		`{"is_final":true,"speech_final":false,"channel_index":[1,2],"start":4.91,"duration":1.5,"channel":{"alternatives":[{"transcript":"My parcel was due"}]},"type":"Results"}`,
		`{"type":"Results","channel_index":[0,2],"start":5,"duration":1,"is_final":true,"speech_final":true,"channel":{"alternatives":[{"transcript":"Yes.","words":[{"word":"yes","punctuated_word":"Yes.","start":5.1,"end":5.4,"confidence":1}]}]}}`,
		`{"type":"UtteranceEnd","channel":[1,2],"last_word_end":-1}`,
		`{"type":"SpeechStarted","channel":[0],"timestamp":9.1}`,
	}, "piece ch:1 4910-6410 My parcel was due", "final ch:0 5100-5400 Yes.", "boundary ch:1 ")
	f("deepgram", []string{ // two speakers in one final, whole words repeated in the next
		`{"type":"Results","channel_index":[0,1],"start":1,"duration":2,"is_final":true,"speech_final":false,"channel":{"alternatives":[{"transcript":"how are you fine","words":[{"word":"how","start":1,"end":1.2,"speaker":0},{"word":"are","start":1.2,"end":1.4,"speaker":0},{"word":"you","start":1.4,"end":1.6,"speaker":0},{"word":"fine","start":2,"end":2.4,"speaker":1}]}]}}`,
		`{"type":"Results","channel_index":[0,1],"start":2.3,"duration":2,"is_final":true,"speech_final":true,"channel":{"alternatives":[{"transcript":"fine thanks","words":[{"word":"fine","start":2,"end":2.4,"speaker":1},{"word":"thanks","start":2.5,"end":2.9,"speaker":1}]}]}}`,
	}, "piece ch:0 by:0 1000-1600 how are you", "boundary ch:0 ", "piece ch:0 by:1 2000-2400 fine", "final ch:0 by:1 2500-2900 thanks")
	f("deepgram-flux", []string{
		`{"type":"TurnInfo","event":"EagerEndOfTurn","request_id":"r","turn_index":0,"transcript":"No","words":[]}`,
		`{"type":"TurnInfo","event":"EndOfTurn","request_id":"r","sequence_id":7,"turn_index":1,"audio_window_start":0.0,"audio_window_end":2.5,"transcript":"No.","words":[{"word":"No.","confidence":1}],"end_of_turn_confidence":0.9,"languages":["en"]}`,
	}, "final 0-2500 #1 No.")
	f("assemblyai", []string{
		`{"type":"Turn","turn_order":0,"turn_is_formatted":false,"end_of_turn":true,"transcript":"hi","words":[{"start":100,"end":300,"text":"hi","word_is_final":true,"confidence":1}],"utterance":"hi"}`,
		`{"type":"Begin","id":"s","expires_at":1,"configuration":{"format_turns":true}}`,
		`{"type":"Turn","turn_order":0,"end_of_turn":true,"transcript":"so","words":[{"start":1,"end":2,"text":"so"}]}`,
		`{"type":"Turn","turn_order":0,"turn_is_formatted":true,"end_of_turn":true,"transcript":"So.","speaker_label":"B","words":[{"start":1,"end":2,"text":"So.","speaker":"A"}],"language_code":"en"}`,
	}, "final 100-300 #0 hi", "begin ", "final 1-2 #0 held so", "final by:B 1-2 #0 So.")
	f("vosk", []string{
		"{\n  \"result\" : [{\n      \"conf\" : 1.000000,\n      \"end\" : 1.110000,\n      \"start\" : 0.870000,\n      \"word\" : \"one\"\n    }],\n  \"spk\" : [0.1], \"spk_frames\" : 90, \"text\" : \"one\"\n}",
		`{"alternatives":[{"confidence":231.1,"text":" two "},{"confidence":230,"text":"too"}]}`,
		`{"alternatives":[{"confidence":1,"text":""}]}`, `{"text":"."}`, `{"partial":"the tail"}`,
	}, "final 870-1110 one", "final two", "final ", "final ", "final the tail")
	f("speechmatics", []string{
		`{"message":"RecognitionStarted","id":"s","language_pack_info":{"word_delimiter":""}}`,
		`{"message":"AddTranscript","channel":"left","metadata":{"start_time":0.5,"end_time":1.0,"transcript":"はい。"},"results":[{"type":"word","start_time":0.5,"end_time":1.0,"alternatives":[{"content":"はい","speaker":"S1"}]},{"type":"punctuation","is_eos":true,"attaches_to":"previous","start_time":1.0,"end_time":1.0,"alternatives":[{"content":"。","speaker":"S1"}]}]}`,
		`{"message":"EndOfUtterance","metadata":{"start_time":1.2,"end_time":1.2}}`,
		`{"message":"AudioAdded","seq_no":9}`, `{"message":"AddTranscript","metadata":{"start_time":2,"end_time":2,"transcript":""},"results":[]}`,
	}, "begin ", "piece ch:left by:S1 500-1000 はい。", "boundary ch:left -1000 ", "boundary -1200 ")
	f("google", []string{
		`{"results":[{"alternatives":[{"transcript":"one"}],"isFinal":true,"resultEndTime":"1s","channelTag":1},{"alternatives":[{"transcript":" two","words":[{"startTime":"0.500s","endTime":"1.500s","word":"two"}]}],"isFinal":true,"resultEndTime":"2s","channelTag":2}],"requestId":"5"}`,
		`{"results":[{"alternatives":[{"transcript":"three","words":[{"word":"three","start_offset":{"nanos":500000000},"end_offset":{"seconds":1}}]}],"is_final":true,"result_end_offset":{"seconds":"3"},"language_code":"en"}],"metadata":{"total_billed_duration":"15s","request_id":"5"}}`,
	}, "final ch:1 -1000 one", "final ch:2 500-1500 two", "final 500-1000 three")
	f("azure", []string{
		"Path: speech.phrase\r\nContent-Type: application/json\r\nX-RequestId: R\r\n\r\n" + `{"RecognitionStatus":"Success","Offset":"49100000","Duration":"27100000","DisplayText":"My parcel.","PrimaryLanguage":{"Language":"en-US"},"SpeakerId":"Unknown","Channel":1}`,
		`{"RecognitionStatus":0,"Offset":1,"Duration":1}`,
		`{"RecognitionStatus":"BabbleTimeout","Offset":1,"Duration":1}`,
		`{"RecognitionStatus":"EndOfDictation","Offset":1,"Duration":1}`,
	}, "final ch:1 4910-7620 My parcel.", "end ")
	f("aws-transcribe", []string{
		`{"TranscriptEvent":{"Transcript":{"Results":[{"ResultId":"a","StartTime":1,"EndTime":2,"ChannelId":"ch_0","Alternatives":[{"Transcript":"One."}]},{"ResultId":"b","StartTime":1.5,"EndTime":2,"IsPartial":true,"ChannelId":"ch_1","Alternatives":[{"Transcript":"t"}]},{"ResultId":"c","IsPartial":false,"StartTime":0.0,"EndTime":0.9995,"ChannelId":"ch_1","Alternatives":[]}]}}}`,
		`{"UtteranceEvent":{"UtteranceId":"u","IsPartial":true,"ParticipantRole":"AGENT","BeginOffsetMillis":1,"EndOffsetMillis":2,"Transcript":"h"}}`,
		`{"utteranceEvent":{"utteranceId":"u","isPartial":false,"participantRole":"AGENT","beginOffsetMillis":1,"endOffsetMillis":2,"transcript":"hi","sentiment":"NEUTRAL","issuesDetected":[]}}`,
		`{"BadRequestException":{"Message":"no"}}`,
	}, "final ch:ch_0 1000-2000 #a One.", "final ch:ch_1 0-1000 #c ", "final ch:AGENT 1-2 #u hi", "failure BadRequestException: no")
	f("contact-lens", []string{
		`{"Version":"1.0.0","Channel":"VOICE","AccountId":"1","ContactId":"c","LanguageCode":"en-US","EventType":"SEGMENTS","Segments":[{"Utterance":{"Id":"u","TranscriptId":"t","ParticipantId":"AGENT","ParticipantRole":"AGENT","PartialContent":"Hel","BeginOffsetMillis":0,"EndOffsetMillis":400}},{"Transcript":{"Id":"t","ParticipantId":"AGENT","ParticipantRole":"AGENT","Content":"Hello.","BeginOffsetMillis":0,"EndOffsetMillis":900,"Sentiment":"NEUTRAL"}},{"Categories":{"MatchedCategories":[]}}]}`,
		`{"ContactId":"c","EventType":"COMPLETED"}`,
	}, "begin ", "final ch:AGENT 0-900 #t Hello.", "end ")
	f("gladia", []string{
		`{"session_id":"s","created_at":"2026-01-01T00:00:00Z","type":"transcript","data":{"id":"00_00000003","is_final":true,"utterance":{"text":" My parcel. ","start":4.91,"end":7.62,"language":"en","confidence":0.9,"channel":0,"speaker":1,"words":[]}}}`,
		`{"session_id":"s","type":"post_transcript","data":{"full_transcript":"My parcel."}}`,
	}, "final ch:0 by:1 4910-7620 #00_00000003 My parcel.")
	f("soniox", []string{
		`{"tokens":[{"text":"My par","start_ms":100,"end_ms":300,"confidence":1,"is_final":true},{"text":"cel","start_ms":300,"end_ms":500,"is_final":true},{"text":"Mein","is_final":true,"translation_status":"translation","source_language":"en"},{"text":"<fin>","is_final":true},{"text":" Late","start_ms":600,"end_ms":700,"is_final":true}],"final_audio_proc_ms":700,"total_audio_proc_ms":900}`,
		`{"tokens":[{"text":" again","start_ms":1701,"end_ms":1900,"is_final":true},{"text":"!","is_final":false}],"final_audio_proc_ms":1900,"total_audio_proc_ms":1900}`,
		`{"tokens":[],"final_audio_proc_ms":1900,"total_audio_proc_ms":1900,"finished":true}`,
	}, "final 100-500 My parcel", "piece 600-700  Late", "boundary ", "piece 1701-1900  again", "end ")
	f("genesys-audiohook", []string{
		`{"version":"2","type":"event","seq":3,"clientseq":3,"id":"s","parameters":{"entities":[{"type":"transcript","data":{"id":"a","channelId":0,"isFinal":true,"offset":"PT1M4.91S","duration":"PT2.71S","alternatives":[{"confidence":1,"interpretations":[{"type":"normalized","transcript":"my parcel"},{"type":"display","transcript":"My parcel."}]}]}},{"type":"transcript","data":{"id":"b","channelId":1,"isFinal":true,"alternatives":[]}},{"type":"agentassist","data":{}}]}}`,
	}, "final ch:0 64910-67620 #a My parcel.", "final ch:1 #b ")
	f("genesys-notifications", []string{
		`{"topicName":"v2.conversations.x.transcription","version":"2","eventBody":{"conversationId":"x","communicationId":"y","transcriptionStartTimeMs":1787303700000,"transcripts":[{"utteranceId":"u","isFinal":true,"channel":"BOTH","alternatives":[{"confidence":1,"offsetMs":4910,"durationMs":2710,"transcript":"my parcel","words":[]}]},{"utteranceId":"v","isFinal":false,"channel":"INTERNAL","alternatives":[{"transcript":"n"}]}]}}`,
	}, "final ch:BOTH @1787303704910-@1787303707620 #u my parcel")
	f("twilio-transcription", []string{
		"TranscriptionEvent=transcription-content&LanguageCode=en-US&Track=outbound_track&Final=TRUE&TranscriptionData=%7B%22transcript%22%3A%22My+parcel.%22%2C%22confidence%22%3A0.9%7D&SequenceId=4&Timestamp=2026-08-21T09%3A15%3A07.620Z&CallSid=CA1&TranscriptionSid=GT1&AccountSid=AC1&Stability=",
		"TranscriptionEvent=transcription-error&TranscriptionErrorCode=32652&TranscriptionError=no&CallSid=CA1&TranscriptionSid=GT1",
	}, "final ch:outbound_track -@1787303707620 #4 My parcel.", "failure 32652 no")
	f("twilio-conversationrelay", []string{
		`{"type":"setup","sessionId":"VX1","callSid":"CA1","from":"+1","to":"+2","customParameters":{"vendorCallKey":"k"}}`,
		`{"type":"prompt","voicePrompt":"My","lang":"en-US","last":false}`, `{"type":"prompt","voicePrompt":"My parcel.","lang":"en-US","last":true}`,
		`{"type":"interrupt","utteranceUntilInterrupt":"Life","durationUntilInterruptMs":"460"}`,
	}, "begin ", "final My parcel.")
	f("bandwidth", []string{
		`{"eventType":"start","metadata":{"accountId":"1","callId":"c","realtimetranscriptionId":"t","tracks":[{"name":"inbound"}],"stabilized":true},"customParams":{"vendorCallKey":"k"}}`,
		`{"eventType":"transcription","track":"inbound","startTime":"2026-08-21T09:15:04.910Z","endTime":"2026-08-21T09:15:07.620Z","isPartial":false,"language":"en-US","transcript":"My parcel.","items":[]}`,
	}, "begin ", "final ch:inbound @1787303704910-@1787303707620 My parcel.")
	f("jambonz", []string{
		`{"type":"verb:hook","msgid":"m","call_sid":"c","hook":"/t","data":{"speech":{"language_code":"en-US","channel_tag":2,"is_final":true,"alternatives":[{"transcript":"My parcel.","confidence":0.9}],"vendor":{"name":"deepgram","evt":[{"type":"Results","start":4.91,"duration":2.71,"is_final":true,"speech_final":true,"channel":{"alternatives":[{"transcript":"my parcel","words":[{"word":"my","start":4.91,"end":5,"speaker":1},{"word":"parcel","start":5,"end":7.62,"speaker":1}]}]}}]}}}}`,
		`{"type":"verb:hook","msgid":"n","call_sid":"c","data":{"speechEvent":{"type":"SPEECH_STARTED"}}}`,
		`{"type":"call:status","call_sid":"c","data":{"call_status":"completed"}}`,
	}, "final ch:2 by:1 4910-7620 #m My parcel.", "end ")
	f("riva", []string{
		`{"results":[{"alternatives":[{"transcript":"my parcel ","confidence":-1.5,"words":[{"word":"my","start_time":4910,"end_time":5000,"speaker_tag":1},{"word":"parcel","start_time":5000,"end_time":7620,"speaker_tag":2}]}],"is_final":true,"audio_processed":8.0},{"alternatives":[{"transcript":"n"}],"stability":0.1},{"pipeline_states":{}}],"id":{"value":"q"}}`,
	}, "final 4910-7620 my parcel")
	f("whisperlive", []string{
		`{"uid":"u","message":"SERVER_READY","backend":"faster_whisper"}`,
		`{"uid":"u","segments":[{"start":"0.000","end":"2.000","text":" One.","completed":true,"words":[{"word":"One."}]},{"start":"2.000","end":"3.500","text":" Two.","completed":true}]}`,
		`{"uid":"u","segments":[{"start":"2.000","end":"3.500","text":" Two.","completed":true},{"start":"3.500","end":"4.000","text":" Three","completed":false}]}`,
	}, "begin ", "final 0-2000 One.", "final 2000-3500 Two.", "final 3500-4000 Three")
	f("whisperlivekit", []string{
		`{"status":"active_transcription","lines":[{"speaker":1,"text":"Hello.","start":"0:00:00","end":"0:00:02"},{"speaker":2,"text":" My parcel","start":"0:00:04","end":"0:00:07","detected_language":"en"}],"buffer_transcription":" is late.","buffer_diarization":"","remaining_time_transcription":0.5}`,
		`{"type":"ready_to_stop"}`,
	}, "final by:1 0-2000 #0/1/a521c1ff Hello.", "final by:2 4000- #4000/2/e16ca2fa My parcel is late.", "end ")
	f("openai-realtime", []string{
		`{"type":"input_audio_buffer.speech_started","event_id":"e","audio_start_ms":4610,"item_id":"i"}`,
		`{"type":"input_audio_buffer.speech_stopped","event_id":"e","audio_end_ms":8120,"item_id":"i"}`,
		`{"type":"conversation.item.input_audio_transcription.delta","item_id":"i","content_index":0,"delta":"My","logprobs":null}`,
		`{"type":"conversation.item.input_audio_transcription.completed","event_id":"e","item_id":"i","content_index":0,"transcript":"My parcel.\n","usage":{"type":"duration","seconds":3}}`,
		`{"type":"conversation.item.input_audio_transcription.failed","item_id":"j","error":{"type":"t","code":"c","message":"no","param":null}}`,
	}, "boundary -8120 #i ", "final 4610-8120 #i My parcel.", "failure #j no")
	f("telnyx-stt", []string{`{"transcript":"My parcel","is_final":true,"confidence":0.9,"speech_final":false}`, `{"transcript":"","is_final":true,"speech_final":true}`, `{"utterance_end":true}`},
		"piece My parcel", "final ", "boundary ")
	f("audiocodes-bot-api", []string{
		`{"type":"session.initiate","conversationId":"c","expectAudioMessages":false,"supportedMediaFormats":["raw/lpcm16"]}`,
		`{"type":"userStream.speech.recognition","conversationId":"c","participant":"agent-1","alternatives":[{"text":"My parcel.","confidence":0.9},{"text":"My partial"}]}`,
	}, "begin ", "final ch:agent-1 My parcel.")
	f("whisper_streaming", []string{"0 1500  Some text\n1500 2000 more", "2000 2500"}, "piece 0-1500 Some text", "piece 1500-2000 more")
}
