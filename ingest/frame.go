package ingest

import (
	"strings"
	"unicode/utf8"

	"example.com/steno/ingest/dialect"
	"github.com/tidwall/gjson"
)

// maxDepth is how deep the JSON of a frame may nest; the protocol needs three
// levels. The parser recurses, so a megabyte of "[" would cost hundreds of
// megabytes of stack.
const maxDepth = 32

// jsonSpace is the white space that JSON allows between values.
const jsonSpace = " \t\r\n"

// EachObject is how a door takes a frame of the native protocol apart. It calls
// yield with every JSON object in it, with what is not UTF-8 replaced, and
// returns false where it meets anything else.
func EachObject(frame []byte, yield func(object string) bool) (ok bool) {
	return eachObject(asText(frame), yield)
}

// eachObject calls yield with every JSON object of a frame: one object, or
// several as NDJSON. It stops where yield returns false, and returns false
// where it meets anything that is not a JSON object. Objects before that have
// been yielded: a client's good lines are not lost to a bad one.
func eachObject(frame string, yield func(object string) bool) (ok bool) {
	frame = strings.Trim(frame, jsonSpace)
	if isObject(frame) {
		yield(frame)
		return true
	}
	if !strings.Contains(frame, "\n") {
		return false
	}
	for line := range strings.SplitSeq(frame, "\n") {
		line = strings.Trim(line, jsonSpace)
		switch {
		case line == "":
		case !isObject(line):
			return false
		case !yield(line):
			return true
		}
	}
	return true
}

func isObject(s string) bool {
	return strings.HasPrefix(s, "{") && shallow(s) && gjson.Valid(s)
}

// shallow passes a frame with few brackets, which is nearly every frame, by
// counting them.
func shallow(s string) bool {
	return strings.Count(s, "{")+strings.Count(s, "[") <= maxDepth || !dialect.Deeper(s, maxDepth)
}

// asText makes a frame's bytes valid UTF-8: what is not becomes U+FFFD, as
// Salesforce takes no other text and one bad byte must not cost an utterance.
func asText(frame []byte) string {
	s := string(frame)
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
