package sfclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"time"

	"example.com/steno/sfclient"
)

// salesforce answers every endpoint of the wrapper as its documentation shows.
func salesforce(w http.ResponseWriter, r *http.Request) {
	answers := map[string]string{
		"token":                        `{"access_token":"00D","instance_url":"http://` + r.Host + `","token_type":"Bearer"}`,
		"createVoiceCall":              `{"data":{"voiceCallId":"00X000012345abc"},"errors":null,"success":true}`,
		"updateVoiceCall":              `{"data":{"status":"pending"},"errors":null,"success":true}`,
		"executeOmniFlow":              `{"data":{"queue":"billing","agent":""},"errors":null,"success":true}`,
		"clearRouting":                 `{"data":{"status":"Success"},"errors":null,"success":true}`,
		"createTranscriptMessage":      `{"data":{"result":"Accepted"},"errors":null,"success":true}`,
		"createBulkTranscriptMessages": `{"result":"Multi-Status: A few messages were not processed","errorResponse":{"errorResponseEntries":[{"vendorCallKey":"call-1","status":202,"message":"Successfully Processed Transcripts"},{"vendorCallKey":"call-2","status":409,"message":"Transcription paused for participant"}]}}`,
	}
	fmt.Fprint(w, answers[path.Base(r.URL.Path)])
}

// exampleClient is a client of a Salesforce that ends with done.
func exampleClient() (client *sfclient.Client, done func()) {
	server := httptest.NewServer(http.HandlerFunc(salesforce))
	client, err := sfclient.New(sfclient.Config{
		LoginURL: server.URL, ClientID: "consumer key", ClientSecret: "consumer secret",
		CallCenter: "contactCenterDevName123", Cert: "certDevName123",
	})
	if err != nil {
		panic(err)
	}
	return client, server.Close
}

func ExampleClient_CreateVoiceCall() {
	client, done := exampleClient()
	defer done()
	call, err := client.CreateVoiceCall(context.Background(), sfclient.VoiceCall{
		VendorCallKey: "5324881f", To: "8002345678", From: "4081456688", InitiationMethod: "Inbound",
		StartTime:    time.Date(2019, 7, 2, 17, 32, 28, 0, time.UTC),
		Participants: []sfclient.Participant{{ParticipantKey: "4081456688", Type: sfclient.EndUser}},
	})
	fmt.Println(call.VoiceCallID, err)
	// Output: 00X000012345abc <nil>
}

func ExampleClient_UpdateVoiceCall() {
	client, done := exampleClient()
	defer done()
	status, err := client.UpdateVoiceCall(context.Background(), sfclient.VoiceCallUpdate{
		VoiceCallID:       "00X000012345abc",
		IsActiveCall:      false, // The call has ended: its transcript closes too.
		EndTime:           time.Date(2019, 7, 2, 17, 40, 0, 0, time.UTC),
		TotalHoldDuration: new(21),
	})
	fmt.Println(status, err)
	// Output: pending <nil>
}

func ExampleClient_ExecuteOmniFlow() {
	client, done := exampleClient()
	defer done()
	routing, err := client.ExecuteOmniFlow(context.Background(), sfclient.OmniFlow{
		VoiceCallID: "5324881f", DialedNumber: "+18445791189",
		FlowDevName: "Route_VoiceCall", FallbackQueue: "00G111222333444",
		FlowInputParameters: map[string]any{"Input1": "one"},
	})
	fmt.Println(routing.Queue, err)
	// Output: billing <nil>
}

func ExampleClient_ClearRouting() {
	client, done := exampleClient()
	defer done()
	status, err := client.ClearRouting(context.Background(), "5324881f")
	fmt.Println(status, err)
	// Output: Success <nil>
}

func ExampleClient_CreateTranscriptMessage() {
	client, done := exampleClient()
	defer done()
	hello := sfclient.Message{
		StartTime: 1573503300000, EndTime: 1573503301200, ParticipantID: "5324881fEND_USER",
		MessageID: "57904eb6", SenderType: sfclient.EndUser, Content: "Hello World",
	}
	_, err := client.CreateTranscriptMessage(context.Background(), "5324881f", hello)
	fmt.Println("accepted:", err == nil)

	// What Salesforce would refuse is not sent at all.
	hello.SenderType, hello.MessageID = "CALLER", ""
	_, err = client.CreateTranscriptMessage(context.Background(), "5324881f", hello)
	if e, ok := errors.AsType[*sfclient.Error](err); ok {
		fmt.Println(e.Verdict(), len(e.Messages), e.Messages[0])
	}
	// Output:
	// accepted: true
	// reject 2 messageId is empty
}

func ExampleClient_CreateBulkTranscriptMessages() {
	client, done := exampleClient()
	defer done()
	var entries []sfclient.Entry
	for _, call := range []string{"call-1", "call-2"} {
		entries = append(entries, sfclient.Entry{VendorCallKey: call, Messages: []sfclient.Message{{
			StartTime: 1573503300000, EndTime: 1573503300001, ParticipantID: call + "END_USER",
			MessageID: call + "-1", SenderType: sfclient.EndUser, Content: "Hello All",
		}}})
	}
	answer, err := client.CreateBulkTranscriptMessages(context.Background(), entries)
	if err != nil {
		fmt.Println(err) // The whole request.
		return
	}
	for _, entry := range entries {
		fmt.Println(entry.VendorCallKey, answer.Entry(entry.VendorCallKey).Verdict())
	}
	// Output:
	// call-1 accepted
	// call-2 paused
}

// A sender that renders each message once, when it comes in, has bodies spliced
// from those bytes. SendBulk does the same for many.
func ExampleClient_SendMessage() {
	client, done := exampleClient()
	defer done()
	rendered := sfclient.Message{
		StartTime: 1573503300000, EndTime: 1573503300001, ParticipantID: "call-1END_USER",
		MessageID: "call-1-1", SenderType: sfclient.EndUser, Content: "Hello All",
	}.Append(nil)
	answer, err := client.SendMessage(context.Background(), "call-1", rendered)
	fmt.Println(answer.Entry("call-1").Verdict(), err)
	// Output: accepted <nil>
}
