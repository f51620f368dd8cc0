package dialect

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
)

// maxDepth is how deep a frame may nest. The parser recurses, so a megabyte of
// "[" would cost hundreds of megabytes of stack.
const maxDepth = 64

// object checks that a frame is one JSON object, and returns it. The result
// refers to a copy, so that events may keep parts of it. What is not UTF-8 in
// it is replaced.
func object(frame []byte) (gjson.Result, error) {
	frame = bytes.TrimSpace(frame)
	switch {
	case len(frame) == 0 || frame[0] != '{':
		return gjson.Result{}, fmt.Errorf("%w: it must be a JSON object", ErrFrame)
	case tooDeep(frame):
		return gjson.Result{}, fmt.Errorf("%w: it nests deeper than %d", ErrFrame, maxDepth)
	case !gjson.ValidBytes(frame):
		return gjson.Result{}, fmt.Errorf("%w: it is not valid JSON", ErrFrame)
	}
	return gjson.Parse(strings.ToValidUTF8(string(frame), "\uFFFD")), nil
}

func tooDeep(frame []byte) bool {
	if bytes.Count(frame, []byte("{"))+bytes.Count(frame, []byte("[")) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(frame); i++ {
		switch c := frame[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// isBinary says whether a frame of an engine that sends audio beside text is
// not text.
func isBinary(frame []byte) bool {
	frame = bytes.TrimSpace(frame)
	return len(frame) > 0 && frame[0] != '{'
}

// in reads a number, or a string that holds one, as an offset in unit.
// Negative offsets, which some engines use for "none", are unknown, also where
// they are a fraction of a millisecond.
func in(unit int, v gjson.Result) Instant {
	if v.Type != gjson.Number && v.Type != gjson.String {
		return Instant{}
	}
	number := v.Raw
	if v.Type == gjson.String {
		number = v.Str
	}
	ms, ok := decimal(number, unit)
	if !ok || strings.HasPrefix(strings.TrimSpace(number), "-") {
		return Instant{}
	}
	return Offset(ms)
}

// wordTimes is when the first of words begins and the last ends. keys are the
// names that start and end have, the preferred spelling first.
func wordTimes(words gjson.Result, unit int, start, end []string) (from, to Instant) {
	all := words.Array()
	if len(all) == 0 {
		return from, to
	}
	return in(unit, field(all[0], start...)), in(unit, field(all[len(all)-1], end...))
}

// ordered lets no event end before it starts: such an end is a fault of the
// engine's, and unknown.
func (e Event) ordered() Event {
	if e.Start.kind == e.End.kind && e.End.ms < e.Start.ms {
		e.End = Instant{}
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

// field is the first of the fields that an object has, null being none.
func field(o gjson.Result, names ...string) gjson.Result {
	for _, name := range names {
		if v := o.Get(name); v.Exists() && v.Type != gjson.Null {
			return v
		}
	}
	return gjson.Result{}
}

// isSet reads a flag: true, or a string or number that means it.
func isSet(v gjson.Result) bool {
	return v.Type == gjson.True || v.Type == gjson.String && strings.EqualFold(v.Str, "true") || v.Raw == "1"
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
