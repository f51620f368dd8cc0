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
	for w := range objects(all) {
		words = append(words, word{
			text:    strings.TrimSpace(first(w.Get("punctuated_word"), w.Get("word"))),
			start:   in(seconds, w.Get("start")),
			end:     in(seconds, w.Get("end")),
			speaker: label(w.Get("speaker")),
		})
	}
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
