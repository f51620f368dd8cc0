package dialect

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// mapped returns a check of a mapping's events.
func mapped(t *testing.T, query string) func(frame string, want ...Event) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newMapping(Options{Values: values, Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	return func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
		checkFinish(t, d)
	}
}

// The example of the description.
func TestMapping(t *testing.T) {
	f := mapped(t, `call=k&start=1787303700000&channel.agent=HUMAN_AGENT:005x&map.text=alternatives.0.text&map.final=kind&map.final.is=result&map.start=words.%23.from&map.end=words.%23.to&map.channel=side`)
	f(`{"kind":"result","alternatives":[{"text":" my parcel "},{"text":"no"}],"words":[{"from":4.91,"to":5.2},{"from":5.2,"to":5.6}],"side":"agent"}`,
		Event{Kind: Final, Text: "my parcel", Start: Offset(4910), End: Offset(5600), Channel: "agent"})
	f(`{"kind":"guess","alternatives":[{"text":"my"}],"words":[]}`, Event{Kind: Partial, Text: "my"})
	f(`{"kind":"result","alternatives":[{"text":""}]}`, Event{Kind: Final})
	f(`{"kind":"news"}`, Event{Kind: Unknown})
}

func TestMappingEach(t *testing.T) {
	f := mapped(t, `map.each=r.items&map.text=t&map.final=$.over&map.ends=last&map.start=at&map.duration=for&map.unit=ms&map.speaker=who&map.id=id&map.session=$.s`)
	f(`{"s":"s1","over":true,"r":{"items":[{"t":"One","at":1000,"for":"500","who":1,"id":7},{"t":"two","at":-1,"for":5,"last":1},{"t":"","last":"false"},{"x":1}]}}`,
		Event{Kind: Piece, Text: "One", Start: Offset(1000), End: Offset(1500), Speaker: "1", ID: "7", Session: "s1"},
		Event{Kind: Final, Text: "two", Session: "s1"}, Event{Kind: Noise}, Event{Kind: Unknown})
	f(`{"over":0,"r":{"items":[{"t":"One"}]}}`, Event{Kind: Partial, Text: "One"})
	f(`{"r":{"items":[]}}`, Event{Kind: Noise})
	f(`{"r":{"items":null}}`, Event{Kind: Unknown})
	f(`{"r":{"items":{"t":"One"}}}`, Event{Kind: Partial, Text: "One"})
	f(`{}`, Event{Kind: Unknown})

	// Words of a list, of lists in lists, and names with dots.
	f = mapped(t, `map.text=tokens`)
	f(`{"tokens":["my","parcel",7,"",null]}`, Event{Kind: Final, Text: "my parcel 7"})
	f(`{"tokens":"yes"}`, Event{Kind: Final, Text: "yes"})
	f = mapped(t, `map.text=a.%23.b.%23.c\.d`)
	f(`{"a":[{"b":[{"c.d":"my"},{"c":{"d":"no"}}]},{"b":{"c.d":"no"}},{"b":[{"c.d":"parcel"}]}]}`, Event{Kind: Final, Text: "my parcel"})
	f = mapped(t, `map.text=\@type`)
	f(`{"@type":"x"}`, Event{Kind: Final, Text: "x"})
}

func TestMappingUnits(t *testing.T) {
	f := func(unit, start string, want Instant) {
		t.Helper()
		mapped(t, "map.text=t&map.start=s&map.unit="+unit)(`{"t":"x","s":`+start+`}`, Event{Kind: Final, Text: "x", Start: want})
	}
	f("s", `4.91`, Offset(4910))
	f("s", `"4.91s"`, Offset(4910))
	f("ms", `4910`, Offset(4910))
	f("ticks", `49100000`, Offset(4910))
	f("iso", `"PT4.91S"`, Offset(4910))
	f("clock", `"0:00:04.91"`, Offset(4910))
	f("epoch-s", `1787303704.91`, Absolute(1787303704910))
	f("epoch-ms", `1787303704910`, Absolute(1787303704910))
	f("epoch-iso", `"2026-08-21T09:15:04.910Z"`, Absolute(1787303704910))
	for _, unit := range []string{"s", "ms", "ticks", "iso", "clock", "epoch-s", "epoch-ms", "epoch-iso"} {
		for _, none := range []string{`-1`, `"soon"`, `null`, `{}`, `[]`, `true`} {
			f(unit, none, Instant{})
		}
	}
}

func TestMappingSaysWhatIsWrong(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = newMapping(Options{Values: values}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the fault of %s is %q, want %q", query, err, want)
		}
	}
	f(``, `map.text is missing: the path of the words`)
	f(`map.final=x`, `map.text is missing: the path of the words`)
	f(`map.text=`, `map.text is empty`)
	f(`map.text=a&map.text=b`, `map.text is given 2 times, it must be given once`)
	f(`map.text=a&map.txt=b`, `map.txt is no option of the mapping: after map. it has text, final, final.is, `)
	f(`map.text=a&map.final.is=b`, `map.final.is needs map.final: the path of the value that it speaks of`)
	f(`map.text=a&map.unit=m`, `map.unit is "m", it must be s, ms, ticks, `)
	f(`map.text=a..b`, `map.text is "a..b": a name in it is empty`)
	f(`map.text=$.a&map.each=b`, `map.text begins with $., it must be from each result`)
	f(`map.text=$.`, `map.text is "$.": a name in it is empty`)
	f(`map.text=a&map.start=words.@reverse.0`, `map.start is "words.@reverse.0": "@" in a name needs a \ before it; a path has names, numbers and # only`)
	for _, dangerous := range []string{`a.%23(b=="c")`, `a|b`, `*`, `a.b?`, `[a,b]`, `{a,b}`, `!"x"`, `..0`, `a\`} {
		f("map.text="+dangerous, `map.text is `)
	}
	f("map.text="+strings.Repeat("a", maxPath+1), `map.text is a path of 257 bytes, it must have at most 256`)
	f("map.text=a"+strings.Repeat(".a", maxPathDeep), `map.text is a path of 17 names, it must have at most 16`)
}

// Whatever a path and a message are, they do not make it panic, and what is
// refused as a path is not read.
func FuzzMapping(f *testing.F) {
	f.Add("a.#.b", "$.c", `{"a":[{"b":"x"}],"c":1}`)
	f.Add(`a\.b`, "#", `{"a.b":["x",{}]}`)
	f.Add("..0", "@this", `{}`)
	f.Fuzz(func(t *testing.T, text, each, frame string) {
		d, err := newMapping(Options{Values: url.Values{"map.text": {text}, "map.each": {each}, "map.start": {text}, "map.final": {each}}})
		if err != nil {
			return
		}
		var once, again []Event
		err1 := d.Decode([]byte(frame), func(e Event) { once = append(once, e) })
		err2 := d.Decode([]byte(frame), func(e Event) { again = append(again, e) })
		if (err1 == nil) != (err2 == nil) || !slices.EqualFunc(once, again, func(a, b Event) bool { return a.Text == b.Text && a.Kind == b.Kind }) {
			t.Errorf("%+v, then %+v", once, again)
		}
	})
}
