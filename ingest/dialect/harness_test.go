package dialect

import (
	"reflect"
	"testing"
)

// check decodes a frame and compares its events.
func check(t *testing.T, d Decoder, frame string, want ...Event) {
	t.Helper()
	var got []Event
	if err := d.Decode([]byte(frame), func(e Event) { got = append(got, e) }); err != nil {
		t.Errorf("Decode(%s): %v", frame, err)
	}
	compare(t, got, want)
}

// checkFinish finishes a decoder and compares what that brings.
func checkFinish(t *testing.T, d Decoder, want ...Event) {
	t.Helper()
	var got []Event
	d.Finish(func(e Event) { got = append(got, e) })
	compare(t, got, want)
}

func compare(t *testing.T, got, want []Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d events %+v, want %d: %+v", len(got), got, len(want), want)
		return
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("event %d is\n\t%+v, want\n\t%+v", i, got[i], want[i])
		}
	}
}
