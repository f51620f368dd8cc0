package dialect

import (
	"errors"
	"testing"
)

func TestVonage(t *testing.T) {
	d, err := newVonage(Options{})
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, d, `{"event":"websocket:connected","content-type":"audio/l16;rate=16000","vendorCallKey":"k"}`)
	refuses(t, d, "\x00\x01\x02")
	check(t, d, `{"event":"websocket:cleared"}`, Event{Kind: Noise})
	check(t, d, `{"event":"news"}`, Event{Kind: Unknown})
	if err := d.Decode([]byte("{"), nil); !errors.Is(err, ErrFrame) {
		t.Errorf("error is %v, want %v", err, ErrFrame)
	}
	checkFinish(t, d)
}
