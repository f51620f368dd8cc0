package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

func collect(frame []byte) (objects []string, ok bool) {
	ok = EachObject(frame, func(object string) bool {
		objects = append(objects, object)
		return true
	})
	return objects, ok
}

// Protocol: "JSON in text frames (one object a frame, or several as NDJSON)".
func TestEachObject(t *testing.T) {
	f := func(frame string, wantOK bool, want ...string) {
		t.Helper()
		if got, ok := collect([]byte(frame)); ok != wantOK || !reflect.DeepEqual(got, want) {
			t.Errorf("eachObject(%.60q) = %q, %v, want %q, %v", frame, got, ok, want, wantOK)
		}
	}
	f(`{}`, true, `{}`)
	f(" {\"a\":\n1}\r\n", true, "{\"a\":\n1}")
	f("{\"a\":1}\n{\"b\":2}", true, `{"a":1}`, `{"b":2}`)
	f("\n{\"a\":1}\r\n\n\t{\"b\":2}\n", true, `{"a":1}`, `{"b":2}`)
	f("{\"a\":1}\nx\n{\"b\":2}", false, `{"a":1}`)
	f("{\"a\":1}\n[]", false, `{"a":1}`)
	f(`{"a":1}{"b":2}`, false)
	f(``, false)
	f("\n", false)
	f(`{`, false)
	f(`{"a":"`+strings.Repeat("[", 100)+`\"{"}`, true, `{"a":"`+strings.Repeat("[", 100)+`\"{"}`)
	f(`{"a":"\"`+strings.Repeat("[", 100)+`"}`, true, `{"a":"\"`+strings.Repeat("[", 100)+`"}`)
	f(`{"a":`+strings.Repeat("[", maxDepth-1)+strings.Repeat("]", maxDepth-1)+`}`, true, `{"a":`+strings.Repeat("[", maxDepth-1)+strings.Repeat("]", maxDepth-1)+`}`)
	f(`{"a":`+strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth)+`}`, false)
	f(strings.Repeat(`{"a":`, 1<<20), false)
}

// It stops where it is told to.
func TestEachObjectStops(t *testing.T) {
	n := 0
	if ok := EachObject([]byte("{}\n{}\nnonsense"), func(string) bool { n++; return n < 2 }); !ok || n != 2 {
		t.Errorf("%d objects, %v, want 2 and nothing said of the third", n, ok)
	}
}

// appendQuoted is JSON, and what encoding/json reads back is what went in.
func TestAppendQuoted(t *testing.T) {
	f := func(s string) bool {
		s = strings.ToValidUTF8(s, "\uFFFD")
		var back string
		err := json.Unmarshal(appendQuoted(nil, s), &back)
		return err == nil && back == s
	}
	if err := quick.Check(f, nil); err != nil {
		t.Error(err)
	}
	var all []byte
	for b := range byte(0x80) {
		all = append(all, b)
	}
	for _, s := range []string{"", `"\`, string(all), "é\u2028\U0001F600"} {
		if !f(s) {
			t.Errorf("%q does not come back", s)
		}
	}
	if got, want := string(appendQuoted(nil, "a<b>\n\t\x01\"é")), `"a<b>\n\t\u0001\"é"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Ids of utterances never meet by accident of where a name ends.
func TestMessageIDs(t *testing.T) {
	seen := map[string]string{}
	add := func(id, what string) {
		t.Helper()
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have the same id", what, other)
		}
		seen[id] = what
	}
	add(streamMessageID(spool.StreamID{Call: "ab", ID: "c"}, 1), "ab, c, 1")
	add(streamMessageID(spool.StreamID{Call: "a", ID: "bc"}, 1), "a, bc, 1")
	add(streamMessageID(spool.StreamID{Call: "a", ID: "bc"}, 2), "a, bc, 2")
	u := utterance{start: 1, end: 2, speaker: speaker{participantID: "p"}, content: "x"}
	add(contentMessageID("a", &u), "x")
	for _, change := range []func(*utterance){
		func(u *utterance) { u.start = 2 }, func(u *utterance) { u.end = 3 },
		func(u *utterance) { u.content = "y" }, func(u *utterance) { u.speaker.participantID = "q" },
	} {
		other := u
		change(&other)
		add(contentMessageID("a", &other), "a change")
	}
	add(contentMessageID("b", &u), "another call")
	if got, want := streamMessageID(spool.StreamID{Call: "b09955ce", ID: "leg-1"}, 38), "2ec439b8-3948-8c36-b91d-44c88296e2d3"; got != want {
		t.Errorf("the id of b09955ce, leg-1, 38 is %s, was %s in earlier versions: a resend over an upgrade would double", got, want)
	}
}

func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		`{"type":"open","stream":"leg-1","vendorCallKey":"k","startTime":1573503300000,"channels":{"0":{"senderType":"END_USER"}},"events":["delivered"]}`,
		`{"type":"utterance","seq":1,"channel":"0","startOffset":1,"endOffset":2,"content":"x\ud83d\n","urgent":true}`,
		`{"type":"utterance","seq":1e0,"senderType":"HUMAN_AGENT","participantId":"005x","startTime":1573503300000.0,"endTime":1573503300001,"content":"é"}` + "\n" + `{"type":"ping"}`,
		`{"content":null,"content":"x","channels":[{}]}`, "{\"a\":\"\xff\"}", `{"` + strings.Repeat("[", 40), "[]", "",
	} {
		f.Add([]byte(seed))
	}
	o := &opening{id: spool.StreamID{Call: "k", ID: "s"}, call: "k", start: 1573503300000,
		channels: channels{{"0", speaker{"kEND_USER", "END_USER"}}}}
	f.Fuzz(func(t *testing.T, frame []byte) {
		frame = bytes.Clone(frame)
		objects, _ := collect(frame)
		var kept []any // what outlives the frame
		for _, object := range objects {
			if !json.Valid([]byte(object)) {
				t.Fatalf("%q passed as JSON", object)
			}
			m := decode(object)
			if o, _, f := m.opening(""); f != nil {
				kept = append(kept, *f)
			} else if kept = append(kept, *o); o.id.ID == "" || o.id.Call == "" {
				t.Fatalf("%s opened a stream without a name", object)
			}
			u, f := m.utterance(o, 1000)
			if f != nil {
				if f.code == "" || f.text == "" || !utf8.ValidString(f.text) {
					t.Fatalf("%s: fault %q", object, f)
				}
				kept = append(kept, *f)
				continue
			}
			r := u.record(o, streamMessageID(o.id, 1), time.Time{})
			checkRecord(t, object, u, r)
			kept = append(kept, r)
		}
		before := fmt.Sprintf("%+v", kept)
		clear(frame)
		if after := fmt.Sprintf("%+v", kept); after != before {
			t.Fatalf("%s became %s with the frame's memory", before, after)
		}
	})
}

// checkRecord checks that what was rendered is canonical JSON that says what
// the utterance says, and that the utterance is one Salesforce would take.
func checkRecord(t *testing.T, object string, u utterance, r *spool.Record) {
	t.Helper()
	var m struct {
		StartTime     int64  `json:"startTime"`
		EndTime       int64  `json:"endTime"`
		ParticipantID string `json:"participantId"`
		MessageID     string `json:"messageId"`
		SenderType    string `json:"senderType"`
		Content       string `json:"content"`
	}
	d := json.NewDecoder(bytes.NewReader(r.Message))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || !utf8.Valid(r.Message) {
		t.Fatalf("%s became %s: %v", object, r.Message, err)
	}
	if m.StartTime != u.start || m.EndTime != u.end || m.ParticipantID != r.Speaker || m.MessageID != r.MessageID || m.SenderType != u.speaker.senderType || m.Content != u.content {
		t.Fatalf("%s became %s, want %+v", object, r.Message, u)
	}
	if m.StartTime < earliest || m.EndTime < m.StartTime || m.EndTime > latest || m.ParticipantID == "" || strings.TrimSpace(m.Content) == "" || len(m.Content) > 1000 {
		t.Fatalf("%s was taken", object)
	}
	canonical := new(bytes.Buffer)
	if err := json.Compact(canonical, r.Message); err != nil || !bytes.Equal(canonical.Bytes(), r.Message) {
		t.Fatalf("%s is not compact: %v", r.Message, err)
	}
}

// The bucket never lets more than a second's worth beyond the rate through.
func TestRate(t *testing.T) {
	var r rate
	now := time.Unix(1573503300, 0)
	passed := 0
	for range 10_000 {
		if r.take(now, 100) {
			passed++
		}
		now = now.Add(time.Millisecond)
	}
	if math.Abs(float64(passed-1100)) > 1 {
		t.Errorf("%d messages passed in 10s at 100 a second, want 1100", passed)
	}
}

// Who owes pays for it, and for no more.
func TestRateOwed(t *testing.T) {
	var r rate
	now := time.Unix(1573503300, 0)
	f := func(after time.Duration, n int, want time.Duration) {
		t.Helper()
		now = now.Add(after)
		if got := r.owe(now, n, 100); got != want {
			t.Errorf("%d messages are owed for %v, want %v", n, got, want)
		}
	}
	f(0, 100, 0)
	f(0, 50, 500*time.Millisecond)
	f(500*time.Millisecond, 1, 10*time.Millisecond)
	f(time.Hour, 100, 0)
	f(0, 1, 10*time.Millisecond)
}

// Each channel is found under its name, whatever their order and number, and of
// two of one name the later counts.
func TestChannelsAreFoundByName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]speaker{}
		var object strings.Builder
		for i, name := range rapid.SliceOf(rapid.SampledFrom([]string{"", "0", "1", "10", "agent", "é", "ein Kanal"})).Draw(t, "names") {
			who := speaker{fmt.Sprint("partner-", i), "EXTERNAL_USER"}
			fmt.Fprintf(&object, `,%q:{"senderType":%q,"participantId":%q}`, name, who.senderType, who.participantID)
			want[name] = who
		}
		m := decode(`{"channels":{` + strings.TrimPrefix(object.String(), ",") + `}}`)
		got, f := speakers(m.channels, "k")
		if f != nil || len(got) != len(want) {
			t.Fatalf("%s: %v, %v", object.String(), got, f)
		}
		for name, who := range want {
			if is, known := got.find(name); !known || is != who {
				t.Fatalf("channel %q of %s is %v, want %v", name, object.String(), is, who)
			}
		}
		if is, known := got.find("2"); known {
			t.Fatalf("channel 2 of %s is %v, want none", object.String(), is)
		}
	})
}
