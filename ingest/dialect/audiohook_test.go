package dialect

import "testing"

func TestAudioHook(t *testing.T) {
	d, err := newAudioHook(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, `{"version":"2","id":"s","seq":8,`+frame+`}`, want...)
	}
	f(`"type":"open","parameters":{"conversationId":"090eaa2f-72fa","participant":{"id":"883e"},"customConfig":{"channel.0":"END_USER"}}`,
		Event{Kind: Begin, Session: "s", Call: Call{Key: "090eaa2f-72fa", Channels: map[string]string{"0": "END_USER"}}})
	f(`"type":"open","parameters":{"conversationId":"090eaa2f-72fa","customConfig":"{\"vendorCallKey\":\"k\"}"}`,
		Event{Kind: Begin, Session: "s", Call: Call{Key: "k"}})
	f(`"type":"open","parameters":{"conversationId":"00000000-0000-0000-0000-000000000000"}`, Event{Kind: Begin, Session: "s"})

	f(`"type":"event","parameters":{"entities":[
		{"type":"transcript","data":{"id":"u1","channelId":0,"isFinal":false,"offset":"PT4.91S","duration":"PT0.95S","alternatives":[{"interpretations":[{"type":"lexical","transcript":"no"},{"type":"display","transcript":"My parcel"}]}]}},
		{"type":"transcript","data":{"id":"u2","channelId":1,"isFinal":true,"alternatives":[{"interpretations":[{"type":"normalized","tokens":[
			{"value":"Thank","offset":"PT1M0.5S","duration":"PT0.2S"},{"value":"you","offset":"PT1M1S","duration":"PT0.4S"}]}]}]}},
		{"type":"transcript","data":{"id":"u3","channelId":"1","isFinal":true,"offset":"soon","alternatives":[]}},
		{"type":"agentassist"}]}`,
		Event{Kind: Partial, Text: "My parcel", Start: Offset(4910), End: Offset(5860), Channel: "0", ID: "u1", Session: "s"},
		Event{Kind: Final, Text: "Thank you", Start: Offset(60500), End: Offset(61400), Channel: "1", ID: "u2", Session: "s"},
		Event{Kind: Final, Channel: "1", ID: "u3", Session: "s"},
		Event{Kind: Unknown, Session: "s"})
	f(`"type":"event","parameters":{"entities":[]}`, Event{Kind: Noise, Session: "s"})
	f(`"type":"error","parameters":{"code":429,"message":"Rate limit exceeded"}`, Event{Kind: Failure, Text: "Rate limit exceeded", Session: "s"})
	f(`"type":"ping"`, Event{Kind: Noise, Session: "s"})
	f(`"type":"news"`, Event{Kind: Unknown, Session: "s"})
	f(`"type":"close"`, Event{Kind: End, Session: "s"})
	checkFinish(t, d)
}
