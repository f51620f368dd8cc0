package dialect

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
)

const (
	// maxDepth is how deep a frame may nest. The parser recurses, so a megabyte
	// of "[" would cost hundreds of megabytes of stack.
	maxDepth = 64
	// maxParts is how many objects and lists a frame may hold. A word is one, and
	// a frame of a megabyte that is full of them has some 15,000.
	maxParts = 20_000
)

// object checks that a frame is one JSON object, and returns it. The result
// refers to a copy, so that events may keep parts of it. What is not UTF-8 in
// it is replaced.
func object(frame []byte) (gjson.Result, error) {
	frame = bytes.TrimSpace(frame)
	switch {
	case len(frame) == 0 || frame[0] != '{':
		return gjson.Result{}, fmt.Errorf("%w: it must be a JSON object", ErrFrame)
	case parts(frame) > maxParts:
		return gjson.Result{}, fmt.Errorf("%w: it holds more than %d objects and lists", ErrFrame, maxParts)
	case parts(frame) > maxDepth && Deeper(frame, maxDepth):
		return gjson.Result{}, fmt.Errorf("%w: it nests deeper than %d", ErrFrame, maxDepth)
	case !gjson.ValidBytes(frame):
		return gjson.Result{}, fmt.Errorf("%w: it is not valid JSON", ErrFrame)
	}
	return gjson.Parse(strings.ToValidUTF8(string(frame), "\uFFFD")), nil
}

// parts is how many objects and lists a frame holds at most.
func parts(frame []byte) int {
	return bytes.Count(frame, []byte("{")) + bytes.Count(frame, []byte("["))
}

// isBinary says whether a frame of an engine that sends audio beside text is
// not text.
func isBinary(frame []byte) bool {
	frame = bytes.TrimSpace(frame)
	return len(frame) > 0 && frame[0] != '{'
}

// told says whether there is a value. Null is none: some languages write it
// where others leave the member out.
func told(v gjson.Result) bool { return v.Type != gjson.Null }

// field is the first of the fields that an object has, null being none.
func field(o gjson.Result, names ...string) gjson.Result {
	for _, name := range names {
		if v := o.Get(name); told(v) {
			return v
		}
	}
	return gjson.Result{}
}

// speech is text as it is to be shown: without white space around it. Where
// there is no letter, digit or symbol in it, nothing was said.
func speech(s string) string {
	s = strings.TrimSpace(s)
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSpace(r) }) < 0 {
		return ""
	}
	return s
}

// label is a name that an engine gives as a string or as a number.
func label(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number:
		return v.Raw
	}
	return ""
}

// objects are those of a list. What else is in it is none of an engine's, and
// costs nothing: a megabyte has half a million of numbers.
func objects(list gjson.Result) iter.Seq[gjson.Result] {
	return func(yield func(gjson.Result) bool) {
		if list.IsArray() {
			list.ForEach(func(_, v gjson.Result) bool { return !v.IsObject() || yield(v) })
		}
	}
}

// yes reads a flag: true, or a string or number that means it.
func yes(v gjson.Result) bool {
	return v.Type == gjson.True || v.Type == gjson.String && strings.EqualFold(v.Str, "true") || v.Raw == "1"
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

// loose walks into an object by member names that may differ from keys in case
// and underscores: relays rewrite what an engine sends in the manner of their
// own language. The keys are lower case.
func loose(o gjson.Result, keys ...string) gjson.Result {
	for _, key := range keys {
		member := gjson.Result{}
		o.ForEach(func(name, value gjson.Result) bool {
			if told(value) && sameName(name.Str, key) {
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
