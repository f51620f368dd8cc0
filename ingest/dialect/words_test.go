package dialect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestOrdered(t *testing.T) {
	f := func(start, end, want Instant) {
		t.Helper()
		if s, e := ordered(start, end); s != start || e != want {
			t.Errorf("ordered(%v, %v) = %v, %v, want the end %v", start, end, s, e, want)
		}
	}
	f(Offset(1), Offset(1), Offset(1))
	f(Offset(2), Offset(1), Instant{})
	f(Absolute(2), Absolute(1), Instant{})
	f(Absolute(2), Offset(1), Offset(1))
	f(Instant{}, Offset(1), Offset(1))
	f(Offset(1), Instant{}, Instant{})
}

func TestLoose(t *testing.T) {
	f := func(object, want string) {
		t.Helper()
		if got := loose(gjson.Parse(object), "results", "isfinal").Raw; got != want {
			t.Errorf("loose(%s) = %s, want %s", object, got, want)
		}
	}
	f(`{"results":{"isFinal":1}}`, "1")
	f(`{"RESULTS":{"is":0,"is_final":1,"isFinal":2}}`, "1")
	f(`{"_Results_":{"IsFinal":{"a":[]}}}`, `{"a":[]}`)
	f(`{"results":{"isFinally":1,"isFina":1}}`, "")
	f(`{"results":[{"isFinal":1}]}`, "")
	f(`{"results":"isFinal"}`, "")
	f(`{"result":{"isFinal":1}}`, "")
	f(`null`, "")
}

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
