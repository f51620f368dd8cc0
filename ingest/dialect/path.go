package dialect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// path is the way to values of a message. It is walked step by step: what else
// gjson can do with a path (modifiers, queries, patterns) costs more than the
// sender of a message should be able to spend, and is refused.
type path struct {
	steps   []step         // nil: no path
	fromTop bool           // of the message, not from the result
	found   []gjson.Result // what is there, if fromTop
}

// step leads to one member, or to all of a list.
type step struct {
	name string // as gjson wants it
	all  bool
}

const (
	maxPath     = 256 // bytes
	maxPathDeep = 16  // steps
	notInNames  = `\#@|*?()[]{}!"`
)

// parsePath reads a path; empty is none. What the error says follows "is".
func parsePath(s string) (path, error) {
	if s == "" {
		return path{}, nil
	}
	if len(s) > maxPath {
		return path{}, fmt.Errorf("a path of %d bytes, it must have at most %d", len(s), maxPath)
	}
	rest, fromTop := strings.CutPrefix(s, "$.")
	p := path{fromTop: fromTop}
	for _, part := range splitPath(rest) {
		next, err := parseStep(part)
		if err != nil {
			return path{}, fmt.Errorf("%q: %w", s, err)
		}
		p.steps = append(p.steps, next)
	}
	if n := len(p.steps); n > maxPathDeep {
		return path{}, fmt.Errorf("a path of %d names, it must have at most %d", n, maxPathDeep)
	}
	return p, nil
}

// splitPath parts a path at the dots that have no \ before them.
func splitPath(s string) (parts []string) {
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '.':
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

func parseStep(part string) (step, error) {
	if part == "#" {
		return step{all: true}, nil
	}
	if part == "" {
		return step{}, fmt.Errorf("a name in it is empty")
	}
	var name strings.Builder
	for i := 0; i < len(part); i++ {
		switch c := part[i]; {
		case c == '\\' && i+1 < len(part):
			i++
		case strings.IndexByte(notInNames, c) >= 0:
			return step{}, fmt.Errorf(`%q in a name needs a \ before it; a path has names, numbers and # only`, string(c))
		}
		name.WriteByte(part[i])
	}
	return step{name: gjson.Escape(name.String())}, nil
}

// from looks a path up that leads from the top of the message, once for all of
// its results.
func (p *path) from(top gjson.Result) {
	if p.fromTop {
		p.found = members(walk(nil, top, p.steps))
	}
}

// values are what the path leads to from a result, null being nothing, and the
// members of a list in its place.
func (p *path) values(result gjson.Result) []gjson.Result {
	if p.fromTop || p.steps == nil {
		return p.found
	}
	return members(walk(nil, result, p.steps))
}

// label is the first value, as a name.
func (p *path) label(result gjson.Result) string {
	for _, v := range p.values(result) {
		return label(v)
	}
	return ""
}

func members(leaves []gjson.Result) (values []gjson.Result) {
	if !slices.ContainsFunc(leaves, gjson.Result.IsArray) {
		return leaves
	}
	for _, leaf := range leaves {
		if leaf.IsArray() {
			leaf.ForEach(func(_, v gjson.Result) bool {
				values = append(values, v)
				return len(values) < maxParts
			})
		} else {
			values = append(values, leaf)
		}
	}
	return values
}

func walk(found []gjson.Result, v gjson.Result, steps []step) []gjson.Result {
	switch {
	case !told(v):
		return found
	case len(steps) == 0:
		return append(found, v)
	case !steps[0].all:
		return walk(found, v.Get(steps[0].name), steps[1:])
	case !v.IsArray():
		return found
	}
	v.ForEach(func(_, member gjson.Result) bool {
		found = walk(found, member, steps[1:])
		return len(found) < maxParts
	})
	return found
}
