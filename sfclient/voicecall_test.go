package sfclient_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/steno/sfclient"
)

// inbound is a call without fault; its time is not in UTC, nor a whole second.
func inbound() sfclient.VoiceCall {
	return sfclient.VoiceCall{
		VendorCallKey: "call-1", To: "8002345678", From: "4081456688", InitiationMethod: "Inbound",
		StartTime:    time.Date(2019, 7, 2, 19, 32, 28, 999e6, time.FixedZone("CEST", 2*3600)),
		Participants: []sfclient.Participant{{ParticipantKey: "4081456688", Type: sfclient.EndUser}},
	}
}

func TestCreateVoiceCall(t *testing.T) {
	o := &org{answer: say(200, `{"data":{"voiceCallId":"00X000012345abc"},"errors":null,"success":true}`)}
	call := inbound()
	call.CallAttributes = `{"Other_Field__c":"other value"}`
	got, err := direct(t, o).CreateVoiceCall(t.Context(), call)
	if err != nil || got.VoiceCallID != "00X000012345abc" || got.Warnings != nil {
		t.Errorf("CreateVoiceCall = %+v, %v; want 00X000012345abc", got, err)
	}
	expectPost(t, o, "createVoiceCall", `{"callCenterDevName":"center","certDevName":"cert","vendorCallKey":"call-1",`+
		`"to":"8002345678","from":"4081456688","initiationMethod":"Inbound","startTime":"2019-07-02T17:32:28Z",`+
		`"participants":[{"participantKey":"4081456688","type":"END_USER"}],`+
		`"callAttributes":"{\"Other_Field__c\":\"other value\"}"}`)
}

// Errors in custom fields do not undo a call that was created; an answer
// without its id is none.
func TestCreateVoiceCallAnswers(t *testing.T) {
	f := func(status int, body, id string, warnings ...string) {
		t.Helper()
		o := &org{answer: say(status, body)}
		got, err := direct(t, o).CreateVoiceCall(t.Context(), inbound())
		if got.VoiceCallID != id || !slices.Equal(got.Warnings, warnings) || (err == nil) != (id != "") {
			t.Errorf("status %d, body %s: %+v, %v; want %q, %q", status, body, got, err, id, warnings)
		}
	}
	f(200, `{"data":{"voiceCallId":"0LQ1"},"errors":["custom"],"success":true}`, "0LQ1", "custom")
	f(200, `{"data":{"voiceCallId":"0LQ1"},"errors":["custom"],"success":false}`, "0LQ1", "custom")
	f(201, `{"voiceCallId":"0LQ1","errors":"We created your voice call but there were some errors : x"}`, "0LQ1",
		"We created your voice call but there were some errors : x")
	f(201, `{"voiceCallId":"0LQ1","errors":[]}`, "0LQ1")
	f(200, `{"data":null,"errors":["Error message 1"],"success":false}`, "")
	f(200, `{"data":null,"errors":null,"success":true}`, "")
	f(429, `{"data":{"voiceCallId":"0LQ1"}}`, "")
}

func TestUpdateVoiceCall(t *testing.T) {
	o := &org{answer: say(200, `{"data":{"status":"pending"},"errors":null,"success":true}`)}
	status, err := direct(t, o).UpdateVoiceCall(t.Context(), sfclient.VoiceCallUpdate{
		VoiceCallID: "00X000012345abc",
		StartTime:   time.Date(2020, 8, 26, 21, 21, 14, 0, time.UTC),
		EndTime:     time.Date(2020, 8, 26, 21, 21, 34, 1, time.UTC),
		Queue:       "queue123", NumberOfHolds: new(0), TotalHoldDuration: new(21),
		DisconnectReason: &sfclient.DisconnectReason{Value: "TELECOM_PROBLEM", IsError: true},
	})
	if err != nil || status != "pending" {
		t.Errorf("UpdateVoiceCall = %q, %v; want pending", status, err)
	}
	// isActiveCall is always said; what is nil or empty is not; the end is
	// rounded up.
	expectPost(t, o, "updateVoiceCall", `{"callCenterDevName":"center","certDevName":"cert","voiceCallId":"00X000012345abc",`+
		`"isActiveCall":false,"startTime":"2020-08-26T21:21:14Z","endTime":"2020-08-26T21:21:35Z","queue":"queue123",`+
		`"numberOfHolds":0,"totalHoldDuration":21,"disconnectReason":{"value":"TELECOM_PROBLEM","isError":true}}`)
}

func TestExecuteOmniFlow(t *testing.T) {
	o := &org{answer: say(200, `{"data":{"queue":"queue info","agent":"agent info"},"errors":null,"success":true}`)}
	routing, err := direct(t, o).ExecuteOmniFlow(t.Context(), sfclient.OmniFlow{
		VoiceCallID: "call-1", DialedNumber: "+18445791189", FlowDevName: "Route_VoiceCall", FallbackQueue: "00G111222333444",
		FlowInputParameters: map[string]any{"Input1": "one", "Input2": 2},
	})
	if want := (sfclient.Routing{Queue: "queue info", Agent: "agent info"}); err != nil || routing != want {
		t.Errorf("ExecuteOmniFlow = %+v, %v; want %+v", routing, err, want)
	}
	expectPost(t, o, "executeOmniFlow", `{"callCenterDevName":"center","certDevName":"cert","voiceCallId":"call-1",`+
		`"dialedNumber":"+18445791189","flowDevName":"Route_VoiceCall","fallbackQueue":"00G111222333444",`+
		`"flowInputParameters":{"Input1":"one","Input2":2}}`)
}

func TestClearRouting(t *testing.T) {
	o := &org{answer: say(200, `{"data":{"status":"Success"},"errors":null,"success":true}`)}
	status, err := direct(t, o).ClearRouting(t.Context(), "call-1")
	if err != nil || status != "Success" {
		t.Errorf("ClearRouting = %q, %v; want Success", status, err)
	}
	expectPost(t, o, "clearRouting", `{"callCenterDevName":"center","certDevName":"cert","voiceCallId":"call-1"}`)
}

// The endpoints about a call are judged as strictly as those of transcripts;
// with one thing in the request there is nothing to split.
func TestCallEndpointsRefused(t *testing.T) {
	calls := map[string]func(context.Context, *sfclient.Client) error{
		"updateVoiceCall": func(ctx context.Context, c *sfclient.Client) error {
			_, err := c.UpdateVoiceCall(ctx, sfclient.VoiceCallUpdate{VoiceCallID: "call-1"})
			return err
		},
		"executeOmniFlow": func(ctx context.Context, c *sfclient.Client) error {
			_, err := c.ExecuteOmniFlow(ctx, sfclient.OmniFlow{VoiceCallID: "call-1", DialedNumber: "1"})
			return err
		},
		"clearRouting": func(ctx context.Context, c *sfclient.Client) error {
			_, err := c.ClearRouting(ctx, "call-1")
			return err
		},
	}
	f := func(status int, body string, want sfclient.Verdict) {
		t.Helper()
		for endpoint, call := range calls {
			err := call(t.Context(), direct(t, &org{answer: say(status, body)}))
			if want == sfclient.Accepted {
				if err != nil {
					t.Errorf("%s, status %d, body %s: %v, want it accepted", endpoint, status, body, err)
				}
				continue
			}
			if e := typed(t, err); e.Verdict() != want || e.Endpoint != endpoint {
				t.Errorf("%s, status %d, body %s: %v, verdict %v; want %v", endpoint, status, body, e, e.Verdict(), want)
			}
		}
	}
	f(200, `{"data":null,"errors":null,"success":true}`, sfclient.Accepted)
	f(200, `{"status":"pending","agent":"a"}`, sfclient.Accepted)
	f(200, `{"data":null,"errors":["Error message 1"],"success":false}`, sfclient.Reject)
	f(200, `{"data":null,"errors":["Error message 1"],"success":true}`, sfclient.Reject)
	f(404, `{"data":null,"errors":["Voice call not found"],"success":false}`, sfclient.Missing)
	f(429, `[{"message":"SCV_LIMITS_ERROR","errorCode":"X"}]`, sfclient.Throttle)
	f(200, `<html>`, sfclient.Retry)
	f(200, `{}`, sfclient.Retry)
}

// Every fault at once, before anything goes out.
func TestCallFaults(t *testing.T) {
	o := &org{}
	client := direct(t, o)
	f := func(err error, want ...string) {
		t.Helper()
		e := typed(t, err)
		if !slices.Equal(e.Messages, want) || e.Verdict() != sfclient.Reject {
			t.Errorf("faults %q, verdict %v; want %q, reject", e.Messages, e.Verdict(), want)
		}
	}
	create := func(spoil func(*sfclient.VoiceCall)) error {
		call := inbound()
		spoil(&call)
		_, err := client.CreateVoiceCall(t.Context(), call)
		return err
	}
	update := func(u sfclient.VoiceCallUpdate) error {
		_, err := client.UpdateVoiceCall(t.Context(), u)
		return err
	}
	flow := func(o sfclient.OmniFlow) error {
		_, err := client.ExecuteOmniFlow(t.Context(), o)
		return err
	}
	f(create(func(c *sfclient.VoiceCall) { *c = sfclient.VoiceCall{} }),
		"vendorCallKey is empty", "to is empty", "from is empty", "initiationMethod is empty", "startTime is empty", "participants is empty")
	f(create(func(c *sfclient.VoiceCall) { c.InitiationMethod = "Outbound" }), `initiationMethod is "Outbound": must be Inbound or Transfer`)
	f(create(func(c *sfclient.VoiceCall) { c.InitiationMethod = "Transfer" }), "parentVoiceCallId is empty")
	f(create(func(c *sfclient.VoiceCall) { c.Participants = make([]sfclient.Participant, 1) }),
		"participants[0].participantKey is empty", "participants[0].type is empty")
	f(create(func(c *sfclient.VoiceCall) { c.CallAttributes = "[1]" }), "callAttributes is not a JSON object in a string")
	f(update(sfclient.VoiceCallUpdate{CallAttributes: "x"}), "voiceCallId is empty", "callAttributes is not a JSON object in a string")
	f(update(sfclient.VoiceCallUpdate{VoiceCallID: "x", StartTime: time.Unix(2, 0), EndTime: time.Unix(1, 0)}), "endTime is before startTime")
	f(flow(sfclient.OmniFlow{}), "voiceCallId is empty", "dialedNumber is empty")
	_, err := client.ClearRouting(t.Context(), "")
	f(err, "voiceCallId is empty")

	err = flow(sfclient.OmniFlow{VoiceCallID: "x", DialedNumber: "1", FlowInputParameters: map[string]any{"f": func() {}}})
	if e := typed(t, err); e.Verdict() != sfclient.Reject || !strings.Contains(e.Error(), "json") {
		t.Errorf("a parameter that JSON has no form for: %v, verdict %v; want reject", e, e.Verdict())
	}
	if logins, posts := o.counts(); logins+posts != 0 {
		t.Errorf("%d logins and %d posts went out, want none", logins, posts)
	}
}

// What a person writes by hand in the wrapper's field names fits the types.
func TestVoiceCallReadsTheWrapperPage(t *testing.T) {
	const page = `{"vendorCallKey":"5324881f","to":"8002345678","from":"4081456688","initiationMethod":"Inbound",
		"startTime":"2019-07-02T17:32:28Z","participants":[{"participantKey":"4081456688","type":"END_USER"}],
		"callAttributes":"{\"Other_Field__c\":\"other value\"}","parentVoiceCallId":"fsd","callOrigin":"Preview","queue":"queue123"}`
	var call sfclient.VoiceCall
	decoder := json.NewDecoder(strings.NewReader(page))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&call); err != nil {
		t.Fatalf("decode: %v", err)
	}
	o := &org{answer: say(200, `{"data":{"voiceCallId":"x"},"success":true}`)}
	if _, err := direct(t, o).CreateVoiceCall(t.Context(), call); err != nil {
		t.Errorf("CreateVoiceCall = %v", err)
	}
}
