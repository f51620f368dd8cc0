package ingest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"example.com/steno/batcher/spool"
	"github.com/VictoriaMetrics/metrics"
	"pgregory.net/rapid"
)

// What clients send all day is read in one pass, what is unusual by gjson, and
// what is no JSON by neither.
func TestReadFlat(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := new(message).readFlat(text); got != want {
			t.Errorf("readFlat(%q) = %v, want %v", text, got, want)
		}
	}
	f(fmt.Sprintf(benchUtterance, 1), true)
	f(`{}`, true)
	f("{ \"a\" : 1 ,\t\"b\":\n-0,\r\"c\":\"\" } ", false) // a minus is unusual
	f("{ \"a\" : 1 ,\t\"b\":\n0,\r\"c\":\"\" }", true)
	f(`{"type":"partial","channel":1,"content":"caf\u00e9 \"x\" \\","urgent":true,"a":false,"b":null}`, true)
	f(`{"a":{}}`, false)
	f(`{"a":[1]}`, false)
	f(`{"a":1.0}`, false)
	f(`{"a":1e3}`, false)
	for _, bad := range []string{
		``, ` `, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a":1}}`, `{"a":1} x`, `{"a":1 "b":2}`,
		` {}`, `{} `, `{"a" 1}`, `{a:1}`, `{"a":01}`, `{"a":tru}`, `{"a":nul`, `{"a":truex}`, `{"a":"\x"}`, `{"a":"\`, `{"a":"\"`, `{"a":"\u12"}`, "{\"a\":\"\n\"}", "{\"a\":\"\\\n\"}",
		"{\"a\":\v1}", "{\"a\":1,\x00\"b\":1}", "\x00", "{\"a\":1}\x00",
	} {
		f(bad, false)
		if new(message).read(bad) != isObject(bad) {
			t.Errorf("read(%q) took it for %v, gjson does not", bad, !isObject(bad))
		}
	}
}

// What readFlat reads is JSON, and gjson reads the same.
func FuzzReadFlat(f *testing.F) {
	for _, seed := range []string{
		fmt.Sprintf(benchUtterance, 1), benchOpen, `{"seq":1,"seq":"2","x":null,"\u0074ype":"open","content":"\ud83d\ude00 \/ \b"}`,
		"{ \"startTime\" : 1573503300000 ,\t\"urgent\":\nfalse,\r\"channel\":0 }", `{"a":"\"`, `{"a":-1.5e3}`, `{"a":01}`, ` {}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		var flat, whole, any message
		isFlat, is := flat.readFlat(text), isObject(text)
		if whole.read(text) != is {
			t.Fatalf("%q: read as an object: %v, is one: %v", text, !is, is)
		}
		if !isFlat {
			return
		}
		if any.readAny(text); !is || !json.Valid([]byte(text)) || flat != any || whole != any {
			t.Fatalf("%q was read as\n%+v\nby readFlat, and by gjson as\n%+v, object: %v", text, flat, any, is)
		}
	})
}

// Frames are read into memory that the next frame is read into, so nothing may
// be left of one that was handled: neither in a turn nor in what outlives it.
func TestNothingOfAFrameIsKept(t *testing.T) {
	var partials []Partial
	s := New(Config{Org: "acme", OnPartial: func(p Partial) { partials = append(partials, p) }},
		spool.NewMemory(), metrics.NewSet(), slog.New(slog.DiscardHandler))
	c := s.newConnection(nil)
	c.working = true // no committer: what is owed stays in the turn
	var frames [][]byte
	for _, text := range []string{
		strings.Replace(benchOpen, `{`, `{"org":"acme","parentCallKey":"first","events":["delivered"],"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",`, 1),
		fmt.Sprintf(benchUtterance, 1) + "\n" + fmt.Sprintf(benchUtterance, 2),
		`{"type":"utterance","stream":"leg-1","seq":3,"messageId":"m-3","senderType":"EXTERNAL_USER","participantId":"partner-7","startTime":1573503300000,"endTime":1573503300001,"content":"said \u00e9","urgent":true,"extra":[1]}`,
		`{"type":"utterance","stream":"leg-1","seq":4,"senderType":"SUPERVISOR","startTime":1573503300000,"endTime":1573503300001,"content":"x"}`,
		`{"type":"utterance","stream":"leg-1","seq":5,"senderType":"NOBODY","startTime":1,"content":"x"}`,
		`{"type":"utterance","stream":"other","seq":1}`,
		`{"type":"partial","senderType":"END_USER","participantId":"p","content":"Good mor"}`,
		`{"type":"partial","channel":"1","content":"Good mor"}`,
		`{"type":"open","stream":"leg-2","vendorCallKey":"second"}`,
		`{"type":"close","stream":"leg-2","reason":"end"}`,
		`{"type":"open","stream":"leg-3","vendorCallKey":"third","org":"other"}`,
	} {
		frames = append(frames, []byte(text))
		if !c.takeMessages(incoming{kind: 1, bytes: frames[len(frames)-1]}) {
			t.Fatalf("%s ended the connection: %+v", text, c.closing)
		}
	}
	if len(c.turn.records) != 4 || len(c.leases) != 1 || len(s.registry.streams) != 2 || len(partials) != 2 {
		t.Fatalf("%d records, %d leases, %d streams, %d partials: not what was sent", len(c.turn.records), len(c.leases), len(s.registry.streams), len(partials))
	}
	kept := func() string {
		all := fmt.Sprintf("%+v\n%+v\n%s\n", c.turn.records, partials, c.closing.text)
		for _, st := range c.turn.steps {
			all += fmt.Sprintf("%s\n", st.body)
		}
		for called, l := range c.leases {
			all += fmt.Sprintf("%s %+v %+v\n", called, *l.opening, l.stream.id)
		}
		for _, id := range []spool.StreamID{{Org: "acme", Call: "b09955ce", ID: "leg-1"}, {Org: "acme", Call: "second", ID: "leg-2"}} {
			st := s.registry.streams[id]
			all += fmt.Sprintf("%+v %+v\n", st.id, st.call.key)
		}
		return all
	}
	before := kept()
	for _, frame := range frames {
		for i := range frame {
			frame[i] = '#'
		}
	}
	if after := kept(); after != before {
		t.Errorf("there was\n%s\nand once the frames' memory has been used again\n%s", before, after)
	}
}

// plain finds what a look at one byte after the other finds.
func TestPlain(t *testing.T) {
	bytes := rapid.SampledFrom([]byte{0, 1, 31, ' ', '!', '"', '#', '[', '\\', ']', 127, 128, 0x9f, 0xa0, 0xa2, 0xdc, 255})
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.Repeat("a", rapid.IntRange(0, 40).Draw(t, "length")))
		for range rapid.IntRange(0, 4).Draw(t, "strange") {
			if len(text) > 0 {
				text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = bytes.Draw(t, "byte")
			}
		}
		want := slices.IndexFunc(text, func(b byte) bool { return b < ' ' || b == '"' || b == '\\' })
		if want < 0 {
			want = len(text)
		}
		if got := plain(string(text)); got != want {
			t.Fatalf("plain(%q) = %d, want %d", text, got, want)
		}
	})
}
