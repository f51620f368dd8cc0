package dialect

import (
	"fmt"
	"strings"
	"testing"
)

func TestFloor(t *testing.T) {
	var f floor
	for i, turn := range []struct {
		to     string
		passes bool
	}{{"", false}, {"A", false}, {"", false}, {"A", false}, {"B", true}, {"", false}, {"A", true}} {
		if got := f.passes(turn.to); got != turn.passes {
			t.Errorf("turn %d: the floor passes to %q: %v, want %v", i, turn.to, got, turn.passes)
		}
	}
}

// TestChannels: however many channels a frame names, few are remembered.
func TestChannels(t *testing.T) {
	c := channels[int]{}
	*c.at("a") = 1
	if *c.at("a") != 1 || *c.at("b") != 0 {
		t.Error("a channel is not remembered")
	}
	for i := range 10 * maxChannels {
		c.at(fmt.Sprint(i))
		c.at(strings.Repeat("x", maxChannelName+i+1))
	}
	if len(c) > maxChannels {
		t.Errorf("%d channels are remembered, want at most %d", len(c), maxChannels)
	}
	for name := range c {
		if len(name) > maxChannelName {
			t.Errorf("a name of %d bytes is remembered", len(name))
		}
	}
}
