package dialect

import (
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// maxCallValue is above what any door takes as a name.
const maxCallValue = 1024

// callOf reads what an engine's free-form slot says of the call, under the
// names that the door's query has: vendorCallKey, org, start, channel.NAME. The
// slot is an object, or a string that holds one, as relays like to write it.
// Where it names no key, the call has the engine's own name for it.
func callOf(slot gjson.Result, own string) Call {
	c := Call{Key: own}
	c.read(slot)
	return c
}

// read takes in what a slot says.
func (c *Call) read(slot gjson.Result) {
	if slot.Type == gjson.String {
		parsed, err := object([]byte(slot.Str))
		if err != nil {
			return
		}
		slot = parsed
	}
	slot.ForEach(func(name, value gjson.Result) bool {
		c.set(name.Str, label(value))
		return true
	})
}

// query takes in the query of a URL.
func (c *Call) query(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	for name, values := range u.Query() {
		c.set(name, values[0])
	}
}

// set takes in one thing. What a session remembers of its call does not keep
// the frame that it stood in, and is bounded.
func (c *Call) set(name, value string) {
	s := strings.TrimSpace(value)
	if len(name) > maxChannelName || len(s) > maxCallValue {
		return
	}
	s = strings.Clone(s)
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
	case isChannel && channel != "" && len(c.Channels) < maxChannels:
		if c.Channels == nil {
			c.Channels = map[string]string{}
		}
		c.Channels[strings.Clone(channel)] = s
	}
}
