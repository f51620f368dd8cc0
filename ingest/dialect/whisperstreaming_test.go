package dialect

import (
	"errors"
	"testing"
)

func TestWhisperStreaming(t *testing.T) {
	d, err := newWhisperStreaming(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f("4910 6410  My parcel was due\r\n6410 7620 and it never arrived.\n\n7620 7700 ...\n",
		Event{Kind: Piece, Text: "My parcel was due", Start: Offset(4910), End: Offset(6410)},
		Event{Kind: Piece, Text: "and it never arrived.", Start: Offset(6410), End: Offset(7620)})
	f("0.5 -1 Yes", Event{Kind: Piece, Text: "Yes", Start: Offset(1)})
	f("7620 8000")
	f("7620 8000 ...")
	f("9000 1000 Yes", Event{Kind: Piece, Text: "Yes", Start: Offset(9000)})

	// A line that is none costs only itself.
	var got []Event
	err = d.Decode([]byte("1 2 one\nthree\n4 x y\n5 6 seven"), func(e Event) { got = append(got, e) })
	if !errors.Is(err, ErrFrame) {
		t.Errorf("error is %v, want %v", err, ErrFrame)
	}
	compare(t, got, []Event{
		{Kind: Piece, Text: "one", Start: Offset(1), End: Offset(2)},
		{Kind: Piece, Text: "seven", Start: Offset(5), End: Offset(6)},
	})
	for _, frame := range []string{"", "\n", "[[", "\xff"} {
		if err := d.Decode([]byte(frame), func(e Event) { t.Errorf("%q is %+v", frame, e) }); !errors.Is(err, ErrFrame) {
			t.Errorf("Decode(%q) = %v, want %v", frame, err, ErrFrame)
		}
	}
	checkFinish(t, d)
}
