package orgsim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"example.com/steno/sfclient/orgsim"
)

func createBody(key, more string) string {
	return `{` + names + `,"vendorCallKey":"` + key + `","to":"1","from":"2","initiationMethod":"Inbound",
		"startTime":"2019-07-02T17:32:28Z","participants":[{"participantKey":"2","type":"END_USER"}]` + more + `}`
}

// Salesforce: vendorCallKey, to, from, initiationMethod, startTime and
// participants are required; initiationMethod is Inbound or Transfer.
func TestCreateVoiceCallFields(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	f := func(old, replacement, want string) {
		t.Helper()
		body := createBody("k", "")
		if changed := strings.Replace(body, old, replacement, 1); changed == body {
			t.Fatalf("%s is not in the body", old)
		} else {
			c.want(c.post("createVoiceCall", changed), 400, `"success":false`, want)
		}
	}
	f(`"vendorCallKey":"k",`, ``, "vendorCallKey is required")
	f(`"to":"1",`, ``, "to is required")
	f(`"from":"2",`, `"from":2,`, "from must be a string")
	f(`"initiationMethod":"Inbound",`, ``, "initiationMethod is required")
	f(`"Inbound"`, `"Outbound"`, "initiationMethod must be one of [Inbound Transfer]")
	f(`2019-07-02T17:32:28Z`, ``, "startTime is required")
	f(`2019-07-02T17:32:28Z`, `yesterday`, "startTime must be a time")
	f(`[{"participantKey":"2","type":"END_USER"}]`, `[]`, "participants must not be empty")
	f(`"participantKey":"2",`, ``, "participants[0].participantKey is required")
	f(`"from"`, `"callOrigin":"Elsewhere","from"`, "callOrigin must be one of")
	f(`"from"`, `"callAttributes":{"a":1},"from"`, "callAttributes must be a string")
	f(`"k"`, `"0LQ000000000001"`, "can't be a Salesforce voiceCallId")
	f(`"Inbound"`, `"Transfer"`, "parentVoiceCallId is required for a Transfer")
	f(`"Inbound"`, `"Transfer","parentVoiceCallId":"nobody"`, "parentVoiceCallId is no other voice call")
	if n := len(c.org.Ledger().Calls); n != 0 {
		t.Errorf("%d calls after refusals, want 0", n)
	}
}

// A call has one id, 0LQ…, however often it is created.
func TestCreateVoiceCall(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	id := func(key string) string {
		got := c.post("createVoiceCall", createBody(key, ""))
		var answer struct{ Data struct{ VoiceCallID string } }
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
			t.Fatalf("createVoiceCall: got %v", got)
		}
		return answer.Data.VoiceCallID
	}
	first, second := id("a"), id("b")
	if len(first) != 15 || !strings.HasPrefix(first, "0LQ") || first == second || id("a") != first {
		t.Errorf("ids %q, %q, then %q; want two of 0LQ and 15 characters, then the first", first, second, id("a"))
	}
	want := time.Date(2019, 7, 2, 17, 32, 28, 0, time.UTC)
	if got := c.org.Ledger().Calls["a"]; got.VoiceCallID != first || !got.Start.Equal(want) {
		t.Errorf("ledger: got %+v, want id %s, start %v", got, first, want)
	}
}

// "In transfer use cases … use the vendorCallKey of the first voice call."
func TestTransferUsesFirstKey(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	transfer := func(key, parent string) {
		t.Helper()
		body := strings.Replace(createBody(key, `,"parentVoiceCallId":"`+parent+`"`), "Inbound", "Transfer", 1)
		c.want(c.post("createVoiceCall", body), 200)
	}
	id := c.org.CreateCall("first", time.Time{})
	transfer("second", id)
	transfer("third", "second")
	c.want(c.bulk("first m1", "second m1", "third m1"), 207,
		`"vendorCallKey":"first","status":202`, `"vendorCallKey":"second","status":400`, `"vendorCallKey":"third","status":400`)
	if got := c.org.Ledger().Calls["third"].Parent; got != "first" {
		t.Errorf("third's parent: got %q, want first", got)
	}
}

// updateVoiceCall "can also be used to create a VoiceCall even after the call
// has ended"; whole numbers and times have their types.
func TestUpdateVoiceCall(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"missed","startTime":"2019-07-02T17:32:28Z","endTime":"2019-07-02T17:33:28Z"}`), 200, `"pending"`)
	call := c.org.Ledger().Calls["missed"]
	if !call.Closed || call.End.Sub(call.Start) != time.Minute {
		t.Errorf("got %+v, want a closed call of one minute", call)
	}
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"0LQ999999999999"}`), 400, "no voice call of this org")
	c.want(c.post("updateVoiceCall", `{`+names+`}`), 400, "voiceCallId is required")
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"missed","isActiveCall":"true"}`), 400, "isActiveCall must be true or false")
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"missed","numberOfHolds":"2"}`), 400, "numberOfHolds must be a whole number")
	c.want(c.post("updateVoiceCall", `{`+names+`,"voiceCallId":"missed","acceptTime":12}`), 400, "acceptTime must be a string")
}

// executeOmniFlow and clearRouting take Salesforce's id or the vendor's key.
func TestRouting(t *testing.T) {
	c := newClient(t, orgsim.Config{})
	id := c.org.CreateCall("k", time.Time{})
	for _, ref := range []string{id, "k"} {
		c.want(c.post("executeOmniFlow", `{`+names+`,"voiceCallId":"`+ref+`","dialedNumber":"+1"}`), 200, `"queue"`, `"agent"`)
		c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"`+ref+`"}`), 200, `"Success"`)
	}
	c.want(c.post("executeOmniFlow", `{`+names+`,"voiceCallId":"k"}`), 400, "dialedNumber is required")
	c.want(c.post("executeOmniFlow", `{`+names+`,"voiceCallId":"k","dialedNumber":"+1","flowInputParameters":"x"}`), 400, "flowInputParameters must be an object")
	c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"nobody"}`), 400, "no voice call of this org")

	c = newClient(t, orgsim.Config{MakeCalls: true})
	c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"first-sight"}`), 200)
	c.want(c.post("clearRouting", `{`+names+`,"voiceCallId":"0LQ999999999999"}`), 400, "no voice call of this org")
}
