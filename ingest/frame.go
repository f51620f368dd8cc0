package ingest

import (
	"strings"
	"unicode/utf8"
	"unsafe"

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
// returns false where it meets anything else. The objects may be parts of the
// frame's memory: they hold as long as nobody writes to that.
func EachObject(frame []byte, yield func(object string) bool) (ok bool) {
	return eachObject(asText(frame), func(text string) (object, more bool) {
		if !isObject(text) {
			return false, false
		}
		return true, yield(text)
	})
}

// eachObject calls take with what should be the JSON objects of a frame: one
// object, or several as NDJSON. Take says whether the text is an object, and if
// so whether to go on. eachObject returns false where it meets anything that is
// not an object. Objects before that have been taken: a client's good lines are
// not lost to a bad one.
func eachObject(frame string, take func(text string) (object, more bool)) (ok bool) {
	frame = strings.Trim(frame, jsonSpace)
	if object, _ := take(frame); object {
		return true
	}
	if !strings.Contains(frame, "\n") {
		return false
	}
	for line := range strings.SplitSeq(frame, "\n") {
		line = strings.Trim(line, jsonSpace)
		if line == "" {
			continue
		}
		object, more := take(line)
		if !more {
			return object
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

// asText is a frame as valid UTF-8: what is not becomes U+FFFD, as Salesforce
// takes no other text and one bad byte must not cost an utterance. Where nothing
// is replaced, which is nearly always, the text is the frame's own memory: what
// outlives the frame must be copied from it.
func asText(frame []byte) string {
	if utf8.Valid(frame) {
		return unsafe.String(unsafe.SliceData(frame), len(frame))
	}
	return strings.ToValidUTF8(string(frame), "\uFFFD")
}
