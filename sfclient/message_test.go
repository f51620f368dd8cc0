package sfclient_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/steno/sfclient"
)

func TestMessageIsCanonical(t *testing.T) {
	m := message("msg-1")
	m.Content = "He said: \"2 < 3\"\r\n\tün\x01 \xff 😀\\"
	got := string(m.Append([]byte("before")))
	want := `before{"startTime":1573503300000,"endTime":1573503300001,"participantId":"call-1END_USER",` +
		`"messageId":"msg-1","senderType":"END_USER","content":"He said: \"2 < 3\"\r\n\tün\u0001 ` + "\uFFFD" + ` 😀\\"}`
	if got != want {
		t.Errorf("Append =\n%s, want\n%s", got, want)
	}
}

// Whatever the text, the JSON is valid and means the same.
func FuzzMessage(f *testing.F) {
	f.Add("call-1END_USER", "msg-1", "Hello", int64(1), int64(2))
	f.Add("", "\\", "\"\x00\x1f\x7f\u2028\xc3\x28\xf0\x9f", int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, participant, id, content string, start, end int64) {
		m := sfclient.Message{StartTime: start, EndTime: end, ParticipantID: participant, MessageID: id, SenderType: "X", Content: content}
		raw := m.Append(nil)
		var got sfclient.Message
		if err := json.Unmarshal(raw, &got); err != nil || !utf8.Valid(raw) {
			t.Fatalf("Append(%+v) = %q: %v", m, raw, err)
		}
		m.ParticipantID, m.MessageID, m.Content = runes(participant), runes(id), runes(content)
		if got != m {
			t.Errorf("Append and back = %+v, want %+v", got, m)
		}
	})
}

// runes is a text with U+FFFD for each byte that is not UTF-8.
func runes(s string) string { return string([]rune(s)) }

// Every field is required, and times are milliseconds in order.
func TestMessageFaults(t *testing.T) {
	f := func(spoil func(*sfclient.Message), want string) {
		t.Helper()
		m := message("msg-1")
		m.Content = "top secret"
		spoil(&m)
		o := &org{}
		client := direct(t, o)
		_, err := client.CreateBulkTranscriptMessages(t.Context(), []sfclient.Entry{
			{VendorCallKey: "call-1", Messages: []sfclient.Message{message("msg-0"), m}}})
		e := typed(t, err)
		if want = "entries[0].messages[1]." + want; len(e.Messages) != 1 || !strings.HasPrefix(e.Messages[0], want) || e.Verdict() != sfclient.Reject {
			t.Errorf("%+v: %q, verdict %v; want %q, reject", m, e.Messages, e.Verdict(), want)
		}
		if _, err = client.CreateTranscriptMessage(t.Context(), "call-1", m); typed(t, err).Verdict() != sfclient.Reject {
			t.Errorf("%+v alone: %v, want reject", m, err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error %q quotes the content", err)
		}
		if logins, posts := o.counts(); logins+posts != 0 {
			t.Errorf("%+v: %d logins and %d posts went out, want none", m, logins, posts)
		}
	}
	f(func(m *sfclient.Message) { m.StartTime = 0 }, "startTime is 0")
	f(func(m *sfclient.Message) { m.EndTime = m.StartTime - 1 }, "endTime is 1573503299999: must not be before startTime")
	f(func(m *sfclient.Message) { m.ParticipantID = "" }, "participantId is empty")
	f(func(m *sfclient.Message) { m.MessageID = "" }, "messageId is empty")
	f(func(m *sfclient.Message) { m.SenderType = "AGENT" }, `senderType is "AGENT": must be`)
	f(func(m *sfclient.Message) { m.SenderType = "" }, `senderType is ""`)
	f(func(m *sfclient.Message) { m.Content = "" }, "content is empty")
}

func TestSenderTypes(t *testing.T) {
	client := direct(t, &org{})
	for _, s := range []sfclient.SenderType{"END_USER", "EXTERNAL_USER", "HUMAN_AGENT", "SUPERVISOR", "VIRTUAL_AGENT"} {
		m := message("msg-1")
		m.SenderType = s
		if _, err := client.CreateTranscriptMessage(t.Context(), "call-1", m); err != nil {
			t.Errorf("senderType %s: %v", s, err)
		}
	}
}
