package dialect

import "testing"

func TestVosk(t *testing.T) {
	d, err := newVosk(Options{Partials: true})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"partial" : "my parcel"}`, Event{Kind: Partial, Text: "my parcel"})
	f("{\n  \"result\" : [{\"conf\" : 1.0, \"end\" : 5.07, \"start\" : 4.91, \"word\" : \"my\"}, {\"end\" : 7.62, \"start\" : 5.07, \"word\" : \"parcel\"}],\n  \"text\" : \"my parcel\"\n}",
		Event{Kind: Final, Text: "my parcel", Start: Offset(4910), End: Offset(7620)})
	f(`{"alternatives":[{"confidence":1,"text":" yes"},{"text":"guess"}]}`, Event{Kind: Final, Text: "yes"})
	f(`{"text":""}`, Event{Kind: Final})
	f(`{"alternatives":[]}`, Event{Kind: Final})
	f(`{"partial":""}`, Event{Kind: Partial})
	f(`{"result":[{"start":-1,"end":3},{"start":2,"end":3}],"text":"no"}`, Event{Kind: Final, Text: "no", Start: Offset(2000), End: Offset(3000)})
	f(`{"result":[{"start":2,"end":1}],"text":"no"}`, Event{Kind: Final, Text: "no", Start: Offset(2000)})
	f(`{"eof" : 1}`, Event{Kind: Noise})
	f(`{"news":1}`, Event{Kind: Unknown})

	f(`{"partial":"good by"}`, Event{Kind: Partial, Text: "good by"})
	checkFinish(t, d, Event{Kind: Final, Text: "good by"})
	checkFinish(t, d)

	// Partials that nobody asked for are dropped, but the last one is kept.
	d, _ = newVosk(Options{})
	f(`{"partial":"good by"}`)
	f(`{"eof" : 1}`, Event{Kind: Noise})
	checkFinish(t, d, Event{Kind: Final, Text: "good by"})
	f(`{"partial":"hello"}`)
	f(`{"text":"hello"}`, Event{Kind: Final, Text: "hello"})
	checkFinish(t, d)
}
