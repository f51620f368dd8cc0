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
	f(`{"eof" : 1}`, Event{Kind: Noise})
	f(`{"news":1}`, Event{Kind: Unknown})

	f(`{"partial":"good by"}`, Event{Kind: Partial, Text: "good by"})
	checkFinish(t, d, Event{Kind: Final, Text: "good by"})
	checkFinish(t, d)
}
