package dialect

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestCallOf(t *testing.T) {
	f := func(slot string, want Call) {
		t.Helper()
		if got := callOf(gjson.Parse(slot), "own"); !reflect.DeepEqual(got, want) {
			t.Errorf("callOf(%s) = %+v, want %+v", slot, got, want)
		}
	}
	full := Call{Key: "0LQ5", Org: "north", Start: 1787303700000, Channels: map[string]string{"inbound": "END_USER", "1": "HUMAN_AGENT:005x"}}
	f(`{"vendorCallKey":"0LQ5","org":"north","start":1787303700000,"channel.inbound":"END_USER","channel.1":"HUMAN_AGENT:005x","other":{"vendorCallKey":"no"}}`, full)
	f(`{"vendorCallKey":" 0LQ5 ","org":"north","start":"1787303700000","channel.inbound":"END_USER","channel.1":"HUMAN_AGENT:005x"}`, full)
	f(`"{\"vendorCallKey\":7}"`, Call{Key: "7"})
	for _, slot := range []string{``, `null`, `7`, `"x"`, `"{"`, `[]`, `["vendorCallKey"]`, `{}`, `{"vendorCallKey":""}`, `{"vendorCallKey":null,"org":{},"start":"soon","channel.":"END_USER"}`} {
		f(slot, Call{Key: "own"})
	}
}

// TestCallIsBounded: a slot as large as a frame can be leaves little behind.
func TestCallIsBounded(t *testing.T) {
	slot := `{"vendorCallKey":"k","org":"` + strings.Repeat("x", maxCallValue+1) + `"`
	for i := range 10 * maxChannels {
		slot += fmt.Sprintf(`,"channel.%d":"END_USER","channel.%s%d":"END_USER"`, i, strings.Repeat("x", maxChannelName), i)
	}
	if c := callOf(gjson.Parse(slot+"}"), "own"); c.Key != "k" || c.Org != "" || len(c.Channels) != maxChannels {
		t.Errorf("key %q, org of %d bytes, %d channels, want k, none and %d", c.Key, len(c.Org), len(c.Channels), maxChannels)
	}
}

func TestCallQuery(t *testing.T) {
	f := func(address string, want Call) {
		t.Helper()
		got := Call{Key: "own"}
		if got.query(address); !reflect.DeepEqual(got, want) {
			t.Errorf("the query of %s is %+v, want %+v", address, got, want)
		}
	}
	f("/hook?vendorCallKey=k&org=north&start=1787303700000&channel.1=END_USER", Call{Key: "k", Org: "north", Start: 1787303700000, Channels: map[string]string{"1": "END_USER"}})
	f("/hook", Call{Key: "own"})
	f("%", Call{Key: "own"})
}
