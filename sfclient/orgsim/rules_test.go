package orgsim_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/steno/sfclient/orgsim"
)

// Salesforce: at most 5 voice calls a bulk request, at most 5 messages a call.
func TestFiveByFive(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	c.want(c.bulk("a 1 2 3 4 5", "b 1", "c 1", "d 1", "e 1"), 200, `"Accepted"`)
	c.want(c.bulk("a 6", "b 2", "c 2", "d 2", "e 2", "f 1"), 400, "entries has 6 voice calls")
	c.want(c.bulk("a 6", "b 2 3 4 5 6 7"), 207, `"vendorCallKey":"b","status":400`, "has 6 messages", "[2, 3, 4, 5, 6, 7]")
	c.wantStored("a", "1 2 3 4 5 6")
	c.wantStored("b", "1")
	c.wantStored("f", "")
	c.want(c.post("createBulkTranscriptMessages", `{`+names+`,"entries":[]}`), 400, "must not be empty")
	c.want(c.post("createBulkTranscriptMessages", `{`+names+`}`), 400, "entries is required")
	c.want(c.post("createBulkTranscriptMessages", `{`+names+`,"entries":{}}`), 400, "must be an array of objects")

	led := c.org.Ledger()
	if led.LargestEntries != 6 || led.LargestMessages != 6 || led.Messages != 22 || led.Stored != 10 {
		t.Errorf("largest %d × %d, messages %d, stored %d; want 6 × 6, 22, 10",
			led.LargestEntries, led.LargestMessages, led.Messages, led.Stored)
	}
}

// Salesforce: all six fields of a message are required; times are whole
// milliseconds; senderType is one of five; a HUMAN_AGENT is a user's id. Names
// count to the letter.
func TestMessageFields(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	f := func(change, want string) {
		t.Helper()
		got := c.post("createBulkTranscriptMessages",
			`{`+names+`,"entries":[`+entry("k", message("good-"+change), message("bad", strings.Split(change, "&")...))+`]}`)
		c.want(got, 207, `"status":400`, "messages[1]."+want)
	}
	for _, field := range []string{"participantId", "senderType", "content", "startTime", "endTime"} {
		f(field+"=", field+" is required")
		f(field+"=null", field+" is required")
	}
	f(`content=""`, "content is required")
	f(`content=17`, "content must be a string")
	f(`participantId=["x"]`, "participantId must be a string")
	f(`startTime="1573503300000"`, "startTime must be a whole number")
	f(`startTime=1573503300000.5`, "startTime must be a whole number")
	f(`startTime=1.5e12`, "startTime must be a whole number")
	f(`endTime=-1`, "endTime must be a whole number")
	f(`startTime=1573503300001&endTime=1573503300000`, "endTime is before startTime")
	f(`senderType="end_user"`, "senderType must be END_USER")
	f(`senderType="HUMAN_AGENT"`, "participantId of a HUMAN_AGENT")
	f(`senderType="HUMAN_AGENT"&participantId="00500000000000"`, "participantId of a HUMAN_AGENT")
	f(`senderType="HUMAN_AGENT"&participantId="00300000000000A"`, "participantId of a HUMAN_AGENT")
	f(`senderType="HUMAN_AGENT"&participantId="00500000000000-"`, "participantId of a HUMAN_AGENT")
	f(`content=&Content="hello"`, "content is required")
	if strings.Contains(c.stored("k"), "bad") {
		t.Errorf("a broken message is stored: %s", c.stored("k"))
	}
}

// A message without an id cannot be named in Id(s) [..], so its entry is
// refused whole; other calls of the request are not touched.
func TestMissingMessageIDRefusesEntry(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	got := c.post("createBulkTranscriptMessages",
		`{`+names+`,"entries":[`+entry("k", message("m1"), message("", "messageId="))+`,`+entry("l", message("m1"))+`]}`)
	c.want(got, 207, "messageId is required", `"vendorCallKey":"l","status":202`)
	c.wantStored("k", "")
	c.wantStored("l", "m1")
}

// Salesforce overwrites the participantId of END_USER, VIRTUAL_AGENT and
// SUPERVISOR with the vendorCallKey and the type; others are kept.
func TestStoredParticipant(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	f := func(sender, sent, want string) {
		t.Helper()
		m := message("m-"+sender+sent, fmt.Sprintf("senderType=%q", sender), fmt.Sprintf("participantId=%q", sent))
		c.want(c.post("createBulkTranscriptMessages", `{`+names+`,"entries":[`+entry("key", m)+`]}`), 200)
		all := c.org.Ledger().Calls["key"].Messages
		if got := all[len(all)-1].ParticipantID; got != want {
			t.Errorf("%s %q stored as %q, want %q", sender, sent, got, want)
		}
	}
	f("END_USER", "+41791234567", "keyEND_USER")
	f("VIRTUAL_AGENT", "bot", "keyVIRTUAL_AGENT")
	f("SUPERVISOR", "chief", "keySUPERVISOR")
	f("HUMAN_AGENT", "005000000000001", "005000000000001")
	f("HUMAN_AGENT", "005000000000001AAA", "005000000000001AAA")
	f("EXTERNAL_USER", "partner-7", "partner-7")
}

// The wrapper's page: "This value can't be a Salesforce voiceCallId."
func TestTranscriptNeedsVendorCallKey(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	id := c.org.CreateCall("k", time.Time{})
	c.want(c.bulk(id+" m1"), 207, "can't be a Salesforce voiceCallId")
	c.want(c.bulk("0LQx m1"), 200) // too short for an id
	c.want(c.post("createTranscriptMessage", single(id, "m1")), 400, "voiceCallId can't be a Salesforce voiceCallId")
	c.want(c.post("createTranscriptMessage", single("k", "m1")), 200)
	c.wantStored("k", "m1")
}

func single(key, id string, changes ...string) string {
	return `{` + names + `,"voiceCallId":"` + key + `",` + message(id, changes...)[1:]
}

// An unknown call is refused, or made on first sight by option.
func TestUnknownCall(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	c.org.CreateCall("known", time.Time{})
	c.want(c.bulk("stranger m1 m2", "known m1"), 207, `"vendorCallKey":"stranger","status":404`, `"vendorCallKey":"known","status":202`)
	c.want(c.post("createTranscriptMessage", single("stranger", "m1")), 404, `"success":false`)
	c.wantStored("known", "m1")
	if got := c.org.Ledger().Refused["unknown"]; got != 3 {
		t.Errorf("refused as unknown: got %d, want 3", got)
	}
}

// messageId "has to be unique for the given conversation"; what a repeat does
// is not documented.
func TestDuplicates(t *testing.T) {
	f := func(policy orgsim.DuplicatePolicy, status int, stored string) {
		t.Helper()
		c := newClient(t, orgsim.Config{MakeCalls: true, Duplicates: policy})
		c.want(c.bulk("k m1 m2", "l m1"), 200)
		got := c.bulk("k m2 m3")
		c.want(got, status)
		if status == 207 {
			c.want(got, status, "Id(s) [m2]. Error: the messageId is not unique")
		}
		c.wantStored("k", stored)
		if led := c.org.Ledger(); led.Repeats != 1 || led.Calls["k"].Repeats != 1 {
			t.Errorf("%v: repeats %d and %d, want 1 and 1", policy, led.Repeats, led.Calls["k"].Repeats)
		}
	}
	f(orgsim.Ignore, 200, "m1 m2 m3")
	f(orgsim.Refuse, 207, "m1 m2 m3")
	f(orgsim.StoreTwice, 200, "m1 m2 m2 m3")
}

// Salesforce: insert transcript data one participant at a time; by option.
func TestOneSpeaker(t *testing.T) {
	mixed := `{` + names + `,"entries":[` +
		entry("k", message("m1"), message("m2", `senderType="VIRTUAL_AGENT"`)) + `,` +
		entry("l", message("m1", `participantId="a"`), message("m2", `participantId="b"`)) + `]}`
	c := newClient(t, orgsim.Config{MakeCalls: true, OneSpeaker: true})
	// The two of call l become one participant, since Salesforce overwrites them.
	c.want(c.post("createBulkTranscriptMessages", mixed), 207, `"vendorCallKey":"k","status":400`, `"vendorCallKey":"l","status":202`)
	c.wantStored("k", "")
	c = newClient(t, orgsim.Config{MakeCalls: true})
	c.want(c.post("createBulkTranscriptMessages", mixed), 200)
	c.wantStored("k", "m1 m2")
}

// Nothing is created or stored while a participant is on hold or the
// recording is paused; Salesforce's own tests answer 409.
func TestHoldAndPause(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	c.want(c.bulk("k m1", "l m1"), 200)
	for i, change := range []func(string, bool){c.org.Hold, c.org.Pause} {
		change("k", true)
		c.want(c.bulk(fmt.Sprint("k held", i), fmt.Sprint("l m2", i)), 207, `"status":409,"message":"Transcription paused for participant"`)
		c.want(c.post("createTranscriptMessage", single("k", "held")), 409, causePaused)
		change("k", false)
		c.want(c.bulk(fmt.Sprint("k m2", i)), 200)
	}
	c.wantStored("k", "m1 m20 m21")
	c.wantStored("l", "m1 m20 m21")
}

const causePaused = "Transcription paused for participant"

// "This API creates voice call transcripts if the timestamp of the transcript
// is between the start and end times of the conversation": else it is
// accepted and dropped. updateVoiceCall without isActiveCall:true closes.
func TestConversationWindow(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	start := time.Now()
	c.org.CreateCall("k", start)
	at := func(id string, d time.Duration) string {
		ms := start.Add(d).UnixMilli()
		return single("k", id, fmt.Sprintf("startTime=%d", ms), fmt.Sprintf("endTime=%d", ms))
	}
	c.want(c.post("createTranscriptMessage", at("early", -6*time.Second)), 200)
	c.want(c.post("createTranscriptMessage", at("skewed", -4*time.Second)), 200)
	c.want(c.post("createTranscriptMessage", at("in", time.Second)), 200)
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"k","isActiveCall":true}`), 200, "pending")
	c.want(c.post("createTranscriptMessage", at("still", 2*time.Second)), 200)
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"k"}`), 200, "pending")
	c.want(c.post("createTranscriptMessage", at("late", 3*time.Second)), 200)
	c.wantStored("k", "skewed in still")
	call := c.org.Ledger().Calls["k"]
	if fmt.Sprint(call.Dropped) != "map[early:1 ended:1]" || call.Updates != 2 || !call.Closed {
		t.Errorf("dropped %v, updates %d, closed %v; want map[early:1 ended:1], 2, true", call.Dropped, call.Updates, call.Closed)
	}
}

func TestRefuseEnded(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, RefuseEnded: true})
	c.want(c.bulk("k m1"), 200)
	c.org.End("k")
	c.want(c.bulk("k m2", "l m1"), 207, "the conversation is closed", `"vendorCallKey":"l","status":202`)
	c.wantStored("k", "m1")
}

// How the wrapper tells a broken rule is not documented. With an envelope a
// request of a wrong form is refused whole; a call's state concerns that call.
func TestRefusalStyles(t *testing.T) {
	f := func(style orgsim.RefusalStyle, status int) {
		t.Helper()
		c := newClient(t, orgsim.Config{Refusal: style})
		c.org.CreateCall("k", time.Time{})
		c.org.CreateCall("held", time.Time{})
		c.org.Hold("held", true)
		c.want(c.post("createBulkTranscriptMessages",
			`{`+names+`,"entries":[`+entry("k", message("m1"))+`,`+entry("held", message("m1", "content="))+`]}`),
			status, `"data":null`, `"errors":["entries[1].messages[0].content is required"]`, `"success":false`)
		c.wantStored("k", "")
		c.want(c.bulk("k m1", "held m1", "gone m1"), status, `"held: Transcription paused for participant"`, `"gone: Error Processing`)
		c.wantStored("k", "m1")
		c.want(c.post("createTranscriptMessage", single("held", "m1")), status, `"success":false`)
		c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"gone"}`), status, `"success":false`)
	}
	f(orgsim.Envelope200, 200)
	f(orgsim.Envelope400, 400)
}

// One call in two entries of a request is legal, and has one verdict.
func TestOneCallTwiceInARequest(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, Duplicates: orgsim.Refuse})
	c.want(c.bulk("k m1", "l m1", "k m2"), 200)
	c.wantStored("k", "m1 m2")
	got := c.bulk("k m2", "l m2", "k m1 m3")
	c.want(got, 207, "Id(s) [m2, m1]")
	if n := strings.Count(got.body, `"vendorCallKey":"k"`); n != 1 {
		t.Errorf("got %v, want one verdict for k", got)
	}
	c.wantStored("k", "m1 m2 m3")
}

// Salesforce: every request names its call center and certificate.
func TestNames(t *testing.T) {
	c := newClient(t, orgsim.Config{CallCenter: "center", Cert: "cert", MakeCalls: true})
	c.want(c.bulk("k m1"), 200)
	wrong := strings.ReplaceAll(bulkBody("k m2"), `"cert"`, `"expired"`)
	c.want(c.post("createBulkTranscriptMessages", wrong), 400, "certDevName names no certificate")
	wrong = strings.ReplaceAll(bulkBody("k m2"), `"center"`, `"periphery"`)
	c.want(c.post("createBulkTranscriptMessages", wrong), 400, "callCenterDevName names no call center")
	c.wantStored("k", "m1")
}

// Apex REST: a request has at most 6 MB.
func TestBodyLimit(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	c.want(c.post("createTranscriptMessage", single("k", "m1", `content="`+strings.Repeat("x", 6<<20)+`"`)), 413)
	c.want(c.post("createTranscriptMessage", single("k", "m1", `content="`+strings.Repeat("x", 1<<20)+`"`)), 200)
	c.wantStored("k", "m1")
}

func TestUnknownPaths(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	for _, path := range []string{"/", "/services/data/v63.0/sobjects", "/services/data/63/limits", wrapperPath, wrapperPath + "token"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		if got := serve(c.org, r); got.status != 404 {
			t.Errorf("GET %s: got %v, want 404", path, got)
		}
	}
}
