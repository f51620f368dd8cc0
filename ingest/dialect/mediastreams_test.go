package dialect

import (
	"errors"
	"testing"
)

// refuses checks that a frame is refused as audio.
func refuses(t *testing.T, d Decoder, frame string) {
	t.Helper()
	if err := d.Decode([]byte(frame), func(e Event) { t.Errorf("%q is %+v", frame, e) }); !errors.Is(err, ErrAudio) {
		t.Errorf("Decode(%q) = %v, want %v", frame, err, ErrAudio)
	}
}

func TestMediaStreams(t *testing.T) {
	d, err := newMediaStreams(Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(frame string, want ...Event) {
		t.Helper()
		check(t, d, frame, want...)
	}
	f(`{"event":"connected","protocol":"Call","version":"1.0.0"}`, Event{Kind: Begin})
	f(`{"event":"start","sequenceNumber":"1","start":{"streamSid":"MZ3","callSid":"CA1","customParameters":{"vendorCallKey":"k"}}}`, Event{Kind: Begin, Session: "MZ3", Call: Call{Key: "k"}})
	refuses(t, d, `{"event":"media","media":{"track":"inbound","payload":"//7+/f8="},"streamSid":"MZ3"}`)
	refuses(t, d, "\xff\xfe\x00")
	f(`{"event":"mark","streamSid":"MZ3"}`, Event{Kind: Noise, Session: "MZ3"})
	f(`{"event":"stop","streamSid":"MZ3"}`, Event{Kind: End, Session: "MZ3"})
	f(`{"event":"news"}`, Event{Kind: Unknown})
	if err := d.Decode([]byte("{"), nil); !errors.Is(err, ErrFrame) {
		t.Errorf("error is %v, want %v", err, ErrFrame)
	}
	checkFinish(t, d)
}
