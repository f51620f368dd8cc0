package dialect

import "strings"

// channels is what a decoder remembers of each channel.
type channels[T any] map[string]*T

const (
	maxChannels    = 64
	maxChannelName = 256
)

// at returns what is remembered of a channel. An engine has few channels and
// short names for them; if one does not, all is forgotten, which costs no
// words, and memory stays bounded.
func (c channels[T]) at(name string) *T {
	if known := c[name]; known != nil {
		return known
	}
	fresh := new(T)
	if len(name) <= maxChannelName {
		if len(c) >= maxChannels {
			clear(c)
		}
		c[strings.Clone(name)] = fresh
	}
	return fresh
}

// floor is who spoke last on a channel.
type floor struct{ speaker string }

// passes says whether the floor passes to another speaker with these words.
// Where the engine does not tell, it stays.
func (f *floor) passes(to string) bool {
	if to == "" || to == f.speaker {
		return false
	}
	passes := f.speaker != ""
	f.speaker = strings.Clone(to)
	return passes
}

// valid is the event with strings that are UTF-8: those of a frame that was not
// read as a whole may not be.
func (e Event) valid() Event {
	for _, s := range []*string{&e.Text, &e.Channel, &e.Speaker, &e.ID, &e.Session} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	return e
}

// kept is the event as a decoder may remember it: its strings do not keep the
// frame alive that they were part of.
func (e Event) kept() Event {
	for _, s := range []*string{&e.Text, &e.Channel, &e.Speaker, &e.ID, &e.Session} {
		*s = strings.Clone(*s)
	}
	return e
}
