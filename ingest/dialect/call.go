package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// callOf reads what an engine's free-form slot says of the call, under the
// names that the door's query has: vendorCallKey, org, start, channel.NAME. The
// slot is an object, or a string that holds one, as relays like to write it.
// Where it names no key, the call has the engine's own name for it.
func callOf(slot gjson.Result, own string) Call {
	c := Call{Key: own}
	if slot.Type == gjson.String {
		parsed, err := object([]byte(slot.Str))
		if err != nil {
			return c
		}
		slot = parsed
	}
	slot.ForEach(func(name, value gjson.Result) bool {
		c.set(name.Str, value)
		return true
	})
	return c
}

func (c *Call) set(name string, value gjson.Result) {
	s := strings.TrimSpace(label(value))
	channel, isChannel := strings.CutPrefix(name, "channel.")
	switch {
	case s == "":
	case name == "vendorCallKey":
		c.Key = s
	case name == "org":
		c.Org = s
	case name == "start":
		if ms, ok := decimal(s, milliseconds); ok && ms > 0 {
			c.Start = ms
		}
	case isChannel && channel != "":
		if c.Channels == nil {
			c.Channels = map[string]string{}
		}
		c.Channels[channel] = s
	}
}
