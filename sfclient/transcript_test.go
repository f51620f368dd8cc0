package sfclient_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/steno/sfclient"
)

// The body is the wrapper page's, byte for byte but for white space.
func TestBulkBody(t *testing.T) {
	o := &org{}
	client := direct(t, o)
	agent := message("msg-2")
	agent.SenderType = sfclient.VirtualAgent
	_, err := client.CreateBulkTranscriptMessages(t.Context(), []sfclient.Entry{
		{VendorCallKey: "call-1", Messages: []sfclient.Message{message("msg-1"), agent}},
		{VendorCallKey: `a "key"`, Messages: []sfclient.Message{message("msg-3")}},
	})
	if err != nil {
		t.Fatalf("CreateBulkTranscriptMessages = %v", err)
	}
	const common = `"startTime":1573503300000,"endTime":1573503300001,"participantId":"call-1END_USER",`
	want := `{"callCenterDevName":"center","certDevName":"cert","entries":[` +
		`{"vendorCallKey":"call-1","messages":[` +
		`{` + common + `"messageId":"msg-1","senderType":"END_USER","content":"Hello All"},` +
		`{` + common + `"messageId":"msg-2","senderType":"VIRTUAL_AGENT","content":"Hello All"}]},` +
		`{"vendorCallKey":"a \"key\"","messages":[` +
		`{` + common + `"messageId":"msg-3","senderType":"END_USER","content":"Hello All"}]}]}`
	expectPost(t, o, "createBulkTranscriptMessages", want)
}

// The single endpoint has the message's fields flat, and the vendorCallKey
// under the name voiceCallId.
func TestMessageBody(t *testing.T) {
	o := &org{}
	if _, err := direct(t, o).CreateTranscriptMessage(t.Context(), "call-1", message("msg-1")); err != nil {
		t.Fatalf("CreateTranscriptMessage = %v", err)
	}
	expectPost(t, o, "createTranscriptMessage", `{"callCenterDevName":"center","certDevName":"cert","voiceCallId":"call-1",`+
		`"startTime":1573503300000,"endTime":1573503300001,"participantId":"call-1END_USER",`+
		`"messageId":"msg-1","senderType":"END_USER","content":"Hello All"}`)
}

// An empty object is spliced without a comma too many.
func TestMessageBodyOfAnEmptyObject(t *testing.T) {
	o := &org{}
	if _, err := direct(t, o).SendMessage(t.Context(), "call-1", []byte("{}")); err != nil {
		t.Fatalf("SendMessage = %v", err)
	}
	expectPost(t, o, "createTranscriptMessage", `{"callCenterDevName":"center","certDevName":"cert","voiceCallId":"call-1"}`)
}

// expectPost checks the only post that the org has had.
func expectPost(t *testing.T, o *org, endpoint, body string) {
	t.Helper()
	if len(o.posts) != 1 {
		t.Fatalf("%d posts, want 1", len(o.posts))
	}
	got := o.posts[0]
	if got.body != body {
		t.Errorf("body =\n%s, want\n%s", got.body, body)
	}
	if path := "/services/apexrest/cnxscv/voice/v1/" + endpoint; got.path != path || got.method != "POST" {
		t.Errorf("%s %s, want POST %s", got.method, got.path, path)
	}
	if got.contentType != "application/json" || got.authorization != "Bearer token-1" {
		t.Errorf("Content-Type %q, Authorization %q; want application/json, Bearer token-1", got.contentType, got.authorization)
	}
}

// Salesforce: at most 5 voice calls a request, and 5 messages a call.
func TestLimits(t *testing.T) {
	f := func(entries, messages int, want string) {
		t.Helper()
		o := &org{}
		client := direct(t, o)
		var raws []sfclient.RawEntry
		var typedEntries []sfclient.Entry
		for i := range entries {
			call := fmt.Sprintf("call-%d", i)
			raws = append(raws, raw(call, messages))
			list := make([]sfclient.Message, messages)
			for j := range list {
				list[j] = message(fmt.Sprintf("msg-%d", j))
			}
			typedEntries = append(typedEntries, sfclient.Entry{VendorCallKey: call, Messages: list})
		}
		_, err1 := client.SendBulk(t.Context(), raws)
		_, err2 := client.CreateBulkTranscriptMessages(t.Context(), typedEntries)
		if want == "" {
			if err1 != nil || err2 != nil {
				t.Errorf("%d × %d: %v, %v; want both taken", entries, messages, err1, err2)
			}
			return
		}
		for _, err := range []error{err1, err2} {
			if e := typed(t, err); e.Verdict() != sfclient.Reject || !strings.Contains(e.Error(), want) || e.Ambiguous {
				t.Errorf("%d × %d: %v, verdict %v; want %q, reject", entries, messages, e, e.Verdict(), want)
			}
		}
		if logins, posts := o.counts(); logins+posts != 0 {
			t.Errorf("%d × %d: %d logins and %d posts went out, want none", entries, messages, logins, posts)
		}
	}
	f(1, 1, "")
	f(sfclient.MaxEntries, sfclient.MaxMessages, "")
	f(5, 5, "")
	f(6, 1, "entries has 6: must have 1 to 5")
	f(1, 6, "entries[0].messages has 6: must have 1 to 5")
	f(0, 0, "entries has 0: must have 1 to 5")
	f(2, 0, "entries[1].messages has 0")
}

// Raw messages are not looked at, except that splicing needs an object.
func TestRawMessageMustBeAnObject(t *testing.T) {
	f := func(message string) {
		t.Helper()
		client := direct(t, &org{})
		_, err1 := client.SendMessage(t.Context(), "call-1", []byte(message))
		_, err2 := client.SendBulk(t.Context(), []sfclient.RawEntry{{VendorCallKey: "call-1", Messages: [][]byte{[]byte(message)}}})
		for _, err := range []error{err1, err2} {
			if e := typed(t, err); e.Verdict() != sfclient.Reject || !strings.Contains(e.Error(), "messages[0] is not a JSON object") {
				t.Errorf("message %q: %v, verdict %v; want reject", message, e, e.Verdict())
			}
		}
	}
	f("")
	f("{")
	f("null")
	f(` {"a":1}`)
}

func TestVendorCallKeyIsRequired(t *testing.T) {
	client := direct(t, &org{})
	_, err1 := client.CreateTranscriptMessage(t.Context(), "", message("msg-1"))
	_, err2 := client.CreateBulkTranscriptMessages(t.Context(), []sfclient.Entry{{Messages: []sfclient.Message{message("msg-1")}}})
	for _, err := range []error{err1, err2} {
		if e := typed(t, err); e.Verdict() != sfclient.Reject || !strings.Contains(e.Error(), "vendorCallKey is empty") {
			t.Errorf("without a key: %v, verdict %v; want reject", e, e.Verdict())
		}
	}
}
