package ingest

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/tidwall/gjson"
)

// readFlat reads what nearly every message is, an object whose fields hold
// strings, whole numbers, true, false and null: validated and taken apart in one
// pass. It returns false for all else, JSON or not, with some fields read.
func (m *message) readFlat(text string) (ok bool) {
	if !strings.HasPrefix(text, "{") { // what comes before is trimmed
		return false
	}
	c := cursor{text: text, at: 1}
	for first := true; !c.take('}'); first = false {
		if !first && !c.take(',') {
			return false
		}
		name, ok := c.str()
		if !ok || !c.take(':') {
			return false
		}
		v, ok := c.value()
		if !ok {
			return false
		}
		m.set(name, v)
	}
	return c.at == len(text)
}

// cursor is how far a text is read.
type cursor struct {
	text string
	at   int
}

// peek is the first byte that is no white space, or 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.text); c.at++ {
		if b := c.text[c.at]; b > ' ' || strings.IndexByte(jsonSpace, b) < 0 {
			return b
		}
	}
	return 0
}

// take steps over b, if that is what comes next.
func (c *cursor) take(b byte) (ok bool) {
	if c.peek() != b {
		return false
	}
	c.at++
	return true
}

// value reads what is neither object nor array nor a number in an unusual
// spelling.
func (c *cursor) value() (v value, ok bool) {
	switch c.peek() {
	case '"':
		s, ok := c.str()
		return value{gjson.String, s}, ok
	case 't':
		return c.word(gjson.True, "true")
	case 'f':
		return c.word(gjson.False, "false")
	case 'n':
		return c.word(gjson.Null, "null")
	}
	return c.whole()
}

func (c *cursor) word(kind gjson.Type, w string) (v value, ok bool) {
	ok = strings.HasPrefix(c.text[c.at:], w)
	c.at += len(w)
	return value{kind, w}, ok
}

// whole reads a whole number that is written as such. One that goes on as a
// fraction is followed by what cannot follow a value.
func (c *cursor) whole() (v value, ok bool) {
	from := c.at
	for c.at < len(c.text) && '0' <= c.text[c.at] && c.text[c.at] <= '9' {
		c.at++
	}
	digits := c.text[from:c.at]
	return value{gjson.Number, digits}, digits != "" && (digits[0] != '0' || digits == "0")
}

// str reads a string. It leaves escapes to gjson.
func (c *cursor) str() (s string, ok bool) {
	if !c.take('"') {
		return "", false
	}
	from, escapes := c.at, false
	for {
		c.at += plain(c.text[c.at:])
		switch {
		case c.at >= len(c.text) || c.text[c.at] < ' ':
			return "", false
		case c.text[c.at] == '\\':
			escapes = true
			c.at = min(c.at+2, len(c.text))
		case escapes:
			c.at++
			return unescaped(c.text[from-1 : c.at])
		default:
			c.at++
			return c.text[from : c.at-1], true
		}
	}
}

func unescaped(literal string) (s string, ok bool) {
	return gjson.Parse(literal).Str, gjson.Valid(literal)
}

// plain is how many bytes a text begins with that stand for themselves in a JSON
// string. It looks at eight at a time, the last ones twice: every byte of every
// text passes here on its way in, and once more on its way out.
func plain(text string) int {
	if len(text) < 8 {
		for i := range len(text) {
			if b := text[i]; b < ' ' || b == '"' || b == '\\' {
				return i
			}
		}
		return len(text)
	}
	for i := 0; ; i = min(i+8, len(text)-8) {
		if found := special(text[i:]); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		if i == len(text)-8 {
			return len(text)
		}
	}
}

// special looks for what does not stand for itself among the first eight bytes:
// the lowest bit that is set is in the first of them. What comes behind that one
// may show by mistake, since a subtraction borrows from there.
func special(text string) uint64 {
	const each, top = 0x0101010101010101, 0x8080808080808080
	eight := binary.LittleEndian.Uint64([]byte(text[:8]))
	quote, backslash := eight^each*'"', eight^each*'\\'
	return ((eight-each*' ')&^eight | (quote-each)&^quote | (backslash-each)&^backslash) & top
}
