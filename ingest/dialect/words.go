package dialect

import (
	"strings"

	"github.com/tidwall/gjson"
)

// word is what the decoders need of one word of a result.
type word struct {
	text       string
	start, end Instant
	speaker    string // empty: not told, as of punctuation
	joined     bool   // to the word before: no space between them
	joins      bool   // to the word after, likewise
	closes     bool   // the engine says that a sentence ends here
}

// timedWords reads words with times in seconds, as most engines write them.
func timedWords(all gjson.Result) []word {
	var words []word
	all.ForEach(func(_, w gjson.Result) bool {
		words = append(words, word{
			text:    strings.TrimSpace(first(w.Get("punctuated_word"), w.Get("word"))),
			start:   in(seconds, w.Get("start")),
			end:     in(seconds, w.Get("end")),
			speaker: label(w.Get("speaker")),
		})
		return true
	})
	return words
}

// sentence joins words as they are to be read, with space between them.
func sentence(words []word, space string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && !w.joined {
			b.WriteString(space)
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// span is the time from the first word to the last, as far as they tell.
func span(words []word) (start, end Instant) {
	for _, w := range words {
		if !start.Known() {
			start = w.start
		}
		if w.end.Known() {
			end = w.end
		}
	}
	return ordered(start, end)
}

// ordered lets no time span end before it starts: such an end is a fault of
// the engine's, and unknown.
func ordered(start, end Instant) (Instant, Instant) {
	if start.kind == end.kind && end.ms < start.ms {
		end = Instant{}
	}
	return start, end
}

// after is the instant a duration after an offset, both in unit. They are
// added before they are rounded.
func after(unit int, offset, duration gjson.Result) Instant {
	const micro = -3 // powers of ten between a millisecond and a microsecond
	a, aKnown := in(unit+micro, offset).Offset()
	b, bKnown := in(unit+micro, duration).Offset()
	if !aKnown || !bKnown {
		return Instant{}
	}
	return Offset((a + b + 500) / 1000)
}

// bySpeaker parts words where another one begins to speak, so that no event
// holds the words of two. A word without a speaker belongs to the one before.
func bySpeaker(words []word) [][]word {
	var parts [][]word
	begin, speaker := 0, ""
	for i, w := range words {
		if w.speaker == "" {
			continue
		}
		if speaker != "" && w.speaker != speaker {
			parts = append(parts, words[begin:i])
			begin = i
		}
		speaker = w.speaker
	}
	return append(parts, words[begin:])
}

// speaker is who says the words: they are of one, or of nobody known.
func speaker(words []word) string {
	for _, w := range words {
		if w.speaker != "" {
			return w.speaker
		}
	}
	return ""
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

// loose walks into an object by member names that may differ from keys in case
// and underscores: relays rewrite what an engine sends in the manner of their
// own language. The keys are lower case.
func loose(o gjson.Result, keys ...string) gjson.Result {
	for _, key := range keys {
		member := gjson.Result{}
		o.ForEach(func(name, value gjson.Result) bool {
			if sameName(name.Str, key) {
				member = value
			}
			return !member.Exists()
		})
		o = member
	}
	return o
}

func sameName(name, key string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '_' {
			continue
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if key == "" || c != key[0] {
			return false
		}
		key = key[1:]
	}
	return key == ""
}

// first is the first of several that says anything.
func first(texts ...gjson.Result) string {
	for _, t := range texts {
		if s := label(t); s != "" {
			return s
		}
	}
	return ""
}

// complaint is an engine's error in its own words.
func complaint(parts ...gjson.Result) string {
	var said []string
	for _, p := range parts {
		if s := strings.TrimSpace(label(p)); s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, ": ")
}

// yes reads a boolean, which some relays make a string.
func yes(v gjson.Result) bool {
	return v.Type == gjson.True || v.Type == gjson.String && strings.EqualFold(v.Str, "true")
}
