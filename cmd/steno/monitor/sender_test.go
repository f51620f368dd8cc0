package monitor

import (
	"testing"

	"pgregory.net/rapid"

	"example.com/steno/sfclient"
)

// The sender type is found whatever the message says elsewhere.
func TestSenderOf(t *testing.T) {
	words := rapid.SampledFrom([]string{`"senderType":"SUPERVISOR"`, `senderType":"`, `"`, `\`, `\"`, ":", ",", "x", "é"})
	rapid.Check(t, func(t *rapid.T) {
		say := func(what string) (s string) {
			for _, w := range rapid.SliceOfN(words, 1, 5).Draw(t, what) {
				s += w
			}
			return s
		}
		sender := rapid.SampledFrom([]string{"END_USER", "EXTERNAL_USER", "HUMAN_AGENT", "SUPERVISOR", "VIRTUAL_AGENT", "NEW_KIND"}).Draw(t, "sender")
		m := sfclient.Message{ParticipantID: say("participant"), MessageID: say("id"), SenderType: sfclient.SenderType(sender), Content: say("content")}
		want := sender
		if sender == "NEW_KIND" { // which ingest does not let in
			want = ""
		}
		if got := senderOf(m.Append(nil)); got.String() != want {
			t.Fatalf("the sender of %s is %q, want %q", m.Append(nil), got, want)
		}
	})
	if got := senderOf([]byte(`{"content":"hello"}`)); got != nobody {
		t.Errorf("the sender of a message without one is %q", got)
	}
}
