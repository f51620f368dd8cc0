package ingest

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// value is what a field holds. The zero value is null, and as good as left out.
type value struct {
	kind gjson.Type
	text string // what a string says; of all else the JSON
}

// valueOf leaves out what the protocol has no use for: three quarters of r.
func valueOf(r gjson.Result) value {
	if r.Type == gjson.String {
		return value{r.Type, r.Str}
	}
	return value{r.Type, r.Raw}
}

// given is a parameter as a string of the native protocol; empty is left out.
func given(parameter string) value {
	if parameter == "" {
		return value{}
	}
	return value{gjson.String, parameter}
}

// number is a parameter as a number of the native protocol, where it is one.
func number(parameter string) value {
	if _, err := strconv.ParseFloat(parameter, 64); err != nil {
		return value{gjson.String, parameter}
	}
	return value{gjson.Number, parameter}
}

func quoted(text string) string { return describe(value{gjson.String, text}) }

// absent is true for a field that was left out, and for null, which is how
// some languages spell that.
func absent(v value) bool { return v.kind == gjson.Null }

// str is what a string says. It is empty for what is none.
func (v value) str() string {
	if !v.isString() {
		return ""
	}
	return v.text
}

func (v value) isString() bool { return v.kind == gjson.String }
func (v value) isNumber() bool { return v.kind == gjson.Number }
func (v value) isObject() bool { return v.kind == gjson.JSON && strings.HasPrefix(v.text, "{") }
func (v value) isArray() bool  { return v.kind == gjson.JSON && strings.HasPrefix(v.text, "[") }

// each calls yield with what an object or array holds, until that returns false.
func (v value) each(yield func(key string, v value) bool) {
	gjson.Parse(v.text).ForEach(func(key, v gjson.Result) bool { return yield(key.Str, valueOf(v)) })
}

// maxName is the longest id that a client may give anything, in bytes.
const maxName = 255

// name reads an id: a string without surprises. Left out, it is empty. It is
// copied: ids live longer than the frame, which may be large, that they came in.
func name(field string, v value) (string, *fault) {
	if absent(v) {
		return "", nil
	}
	if !v.isString() {
		return "", invalid("%s must be a string, is %s", field, describe(v))
	}
	if len(v.text) > maxName {
		return "", invalid("%s is %d bytes long, at most %d are taken", field, len(v.text), maxName)
	}
	for i := 0; i < len(v.text); i++ {
		if v.text[i] < ' ' || v.text[i] == 0x7f {
			return "", invalid("%s has a control character at byte %d", field, i)
		}
	}
	return strings.Clone(v.text), nil
}

// whole reads an integer. A float without a fraction is one: some languages
// have no other way of writing a large number.
func whole(field, of string, v value) (int64, *fault) {
	if v.isNumber() {
		if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
			return n, nil
		}
		if f, _ := strconv.ParseFloat(v.text, 64); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f), nil
		}
	}
	return 0, invalid("%s must be a whole number%s, is %s", field, of, describe(v))
}

// Salesforce wants UTC milliseconds since the epoch. Between these bounds,
// 1973 and 5138, a number of milliseconds cannot be mistaken for one of
// seconds or microseconds.
const (
	earliest = 100_000_000_000
	latest   = 100_000_000_000_000
)

// moment reads a time.
func moment(field string, v value) (int64, *fault) {
	ms, f := whole(field, " of milliseconds", v)
	switch {
	case f != nil:
		return 0, f
	case ms < 0:
		return 0, invalid("%s is %d, before 1970: UTC milliseconds since the epoch are wanted", field, ms)
	case ms < earliest:
		return 0, invalid("%s is %d, which looks like seconds: milliseconds are wanted", field, ms)
	case ms > latest:
		return 0, invalid("%s is %d, which looks like microseconds: milliseconds are wanted", field, ms)
	}
	return ms, nil
}

// offset reads milliseconds since the stream's startTime, and adds that.
func offset(field string, v value, start int64) (int64, *fault) {
	ms, f := whole(field, " of milliseconds", v)
	switch {
	case f != nil:
		return 0, f
	case start == 0:
		return 0, invalid("%s needs the startTime of the stream, which open did not give", field)
	case ms < 0:
		return 0, invalid("%s is %d, must not be negative", field, ms)
	case ms > latest-start:
		return 0, invalid("%s is %d, far too large for milliseconds since the stream's startTime", field, ms)
	}
	return start + ms, nil
}

func flag(field string, v value, otherwise bool) (bool, *fault) {
	switch {
	case absent(v):
		return otherwise, nil
	case v.kind == gjson.True, v.kind == gjson.False:
		return v.kind == gjson.True, nil
	}
	return false, invalid("%s must be true or false, is %s", field, describe(v))
}

// describe says what a value is instead of what it should be. It repeats short
// values only, and is not for fields that hold speech.
func describe(v value) string {
	const most = 40
	switch {
	case absent(v):
		return "missing"
	case v.kind == gjson.True:
		return "true"
	case v.kind == gjson.False:
		return "false"
	case v.isArray():
		return "an array"
	case v.isObject():
		return "an object"
	case v.isNumber() && len(v.text) <= most:
		return "the number " + v.text
	case v.isNumber():
		return "a number of " + strconv.Itoa(len(v.text)) + " digits"
	case len(v.text) <= most:
		return "the string " + strconv.Quote(v.text)
	}
	return "a string of " + strconv.Itoa(len(v.text)) + " bytes"
}
