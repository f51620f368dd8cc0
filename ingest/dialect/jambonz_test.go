package dialect

import "testing"

func TestJambonz(t *testing.T) {
	d, err := newJambonz(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	ack := []byte(`{"type":"ack","msgid":"m"}`)
	const envelope = `"msgid":"m","call_sid":"s",`
	f(`{"type":"session:new",`+envelope+`"data":{"call_sid":"s","customer_data":{"vendorCallKey":"k","channel.2":"END_USER"},"env_vars":{"org":"north","vendorCallKey":"no"}}}`,
		Event{Kind: Begin, Session: "s", Reply: ack, Call: Call{Key: "k", Org: "north", Channels: map[string]string{"2": "END_USER"}}})
	f(`{"type":"session:reconnect",`+envelope+`"data":{"call_sid":"s"}}`, Event{Kind: Begin, Session: "s", Reply: ack, Call: Call{Key: "s"}})

	words := func(final, vendor string) string {
		return `{"type":"verb:hook",` + envelope + `"hook":"/transcription","data":{"call_sid":"s","speech":{"language_code":"en-US","channel_tag":2,"is_final":` + final +
			`,"alternatives":[{"confidence":0.9,"transcript":"My parcel is late."}]` + vendor + `}}}`
	}
	final := Event{Kind: Final, Text: "My parcel is late.", Channel: "2", ID: "m", Session: "s", Reply: ack}
	partial := final
	partial.Kind = Partial
	f(words("true", ""), final)
	f(words("false", ""), partial)
	f(words("true", `,"vendor":{"name":"custom:ours","evt":{}}`), final)
	f(`{"type":"verb:hook",`+envelope+`"data":{"speech":{"is_final":true,"alternatives":[]}}}`, Event{Kind: Final, ID: "m", Session: "s", Reply: ack})
	f(`{"type":"verb:hook",`+envelope+`"data":{"speechEvent":"END_OF_SINGLE_UTTERANCE"}}`, Event{Kind: Noise, Session: "s", Reply: ack})

	f(`{"type":"call:status",`+envelope+`"data":{"call_status":"in-progress"}}`, Event{Kind: Noise, Session: "s"})
	f(`{"type":"call:status",`+envelope+`"data":{"call_status":"completed","duration":312}}`, Event{Kind: End, Session: "s"})
	f(`{"type":"verb:status",`+envelope+`"data":{}}`, Event{Kind: Noise, Session: "s"})
	f(`{"type":"jambonz:error",`+envelope+`"data":{"msg":"InvalidMessage"}}`, Event{Kind: Failure, Text: "InvalidMessage", Session: "s"})
	f(`{"type":"session:redirect",`+envelope+`"data":{}}`, Event{Kind: Noise, Session: "s", Reply: ack})
	f(`{"type":"news",`+envelope+`"data":{}}`, Event{Kind: Unknown, Session: "s", Reply: ack})
	f(`{"type":"ack","msgid":"m"}`, Event{Kind: Noise})
	f(`{"x":1}`, Event{Kind: Unknown})
	checkFinish(t, d)

	// Partials that nobody wants are acknowledged nevertheless. What begins in
	// the middle may have the call in the hook's query.
	d, _ = newJambonz(Options{})
	f(words("false", ""), Event{Kind: Noise, Session: "s", Reply: ack})
	hooked := `{"type":"verb:hook",` + envelope + `"hook":"/transcription?vendorCallKey=k&channel.1=END_USER","data":{}}`
	f(hooked, Event{Kind: Begin, Session: "s", Call: Call{Key: "k", Channels: map[string]string{"1": "END_USER"}}}, Event{Kind: Noise, Session: "s", Reply: ack})
	f(hooked, Event{Kind: Noise, Session: "s", Reply: ack})
}

// What its transcriptionHook posts, and what its custom speech API says.
func TestJambonzOtherWays(t *testing.T) {
	d, err := newJambonz(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"call_sid":"s","speech":{"channel_tag":1,"is_final":true,"alternatives":[{"transcript":"Yes."}]}}`, Event{Kind: Final, Text: "Yes.", Channel: "1", Session: "s"})
	f(`{"call_sid":"s","call_status":"completed"}`, Event{Kind: End, Session: "s"})

	f(`{"type":"start","language":"en-US","options":{"vendorCallKey":"k"}}`, Event{Kind: Begin, Call: Call{Key: "k"}})
	f(`{"type":"transcription","is_final":false,"alternatives":[{"transcript":"my"}],"channel":1}`, Event{Kind: Partial, Text: "my", Channel: "1"})
	f(`{"type":"transcription","is_final":true,"alternatives":[{"transcript":"My parcel."}],"channel":1}`, Event{Kind: Final, Text: "My parcel.", Channel: "1"})
	f(`{"type":"error","error":"gone"}`, Event{Kind: Failure, Text: "gone"})
	f(`{"type":"stop"}`, Event{Kind: End})
}

func TestVendorWords(t *testing.T) {
	d, err := newJambonz(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(vendor string, start, end Instant, speaker string) {
		t.Helper()
		check(t, d, `{"type":"transcription","is_final":true,"alternatives":[{"transcript":"My parcel, is late"}],"vendor":`+vendor+`}`,
			Event{Kind: Final, Text: "My parcel, is late", Start: start, End: end, Speaker: speaker})
	}
	riva := func(text, words string) string {
		return `{"is_final":true,"alternatives":[{"transcript":"` + text + `","words":` + words + `}]}`
	}
	my, late := riva("my parcel", `[{"start_time":4910,"end_time":5060,"speaker_tag":1}]`), riva("is late.", `[{"start_time":6000,"end_time":7620,"speaker_tag":1}]`)
	both := riva("My parcel is late.", `[{"start_time":4910,"end_time":7620,"speaker_tag":1}]`)
	none := Instant{}
	f(`{"name":"nvidia","evt":`+both+`}`, Offset(4910), Offset(7620), "1")
	f(`{"name":"nvidia","evt":{"results":[`+both+`]}}`, Offset(4910), Offset(7620), "1")
	f(`{"name":"nvidia","evt":[`+my+`,`+late+`]}`, Offset(4910), Offset(7620), "1")
	f(`{"name":"nvidia","evt":[{"vendor":{"evt":`+my+`}},{"vendor":{"evt":`+late+`}}]}`, Offset(4910), Offset(7620), "1")
	// Words that are not those that were told have other times.
	f(`{"name":"nvidia","evt":`+my+`}`, none, none, "")
	f(`{"name":"nvidia","evt":[]}`, none, none, "")
	f(`{"name":"nvidia","evt":7}`, none, none, "")
	f(`{"name":"nvidia"}`, none, none, "")
	f(`{"name":"jambonz","evt":`+both+`}`, none, none, "")
	f(`{"name":7}`, none, none, "")
	f(`"nvidia"`, none, none, "")
}
