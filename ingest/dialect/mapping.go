package dialect

import (
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// mapping reads an engine that has no dialect of its own: the query says where
// in its messages the words and their circumstances are.
//
//	map.text      path of the words; the only one that is needed. Several
//	              values are joined by spaces
//	map.final     path of what says that the words stand: true, or anything
//	              but false, 0, "" and null. Where it does not, they are a
//	              partial. Without map.final all words stand
//	map.final.is  the value that it must have for that, such as final
//	map.ends      path of what says that words which stand end their utterance.
//	              Without map.ends all do; else they wait for those that do
//	map.ends.is   the value that it must have for that
//	map.each      path of a list of results: the other paths are from each of
//	              them, and from the top of the message where they begin with $.
//	map.start, map.end, map.duration
//	              paths of when the words begin and end, or how long they take.
//	              Of several values the first is the start, the last the end
//	map.unit      what the times are: s (the default; "4.91s" is one too), ms,
//	              ticks (of 100 ns), iso (PT4.91S), clock (0:00:04.91), each
//	              from the start of the session; epoch-s, epoch-ms, epoch-iso
//	              (2026-08-21T09:15:04.91Z), of the world
//	map.channel, map.speaker
//	              paths of who speaks; a channel is named in channel.NAME=
//	map.id        path of the engine's own name for the words, the same when it
//	              sends them again
//	map.session   path of its name for its session, in which ids are unique
//
// A path is the names on the way from the top, with dots between. A number
// counts the members of a list, from 0; # is all of them: results.0.words.#.end.
// A dot, or another of \ # @ | * ? ( ) [ ] { } ! " in a name has a \ before it.
// So an engine that says
//
//	{"kind":"result","alternatives":[{"text":"my parcel"}],"words":[{"from":4.91,"to":5.6}],"side":"agent"}
//
// is read with (# is %23 in a URL)
//
//	map.text=alternatives.0.text&map.final=kind&map.final.is=result
//	&map.start=words.%23.from&map.end=words.%23.to&map.channel=side
//
// Nothing of a message is remembered for the next.
type mapping struct {
	partials                         bool
	each, text, start, end, duration path
	channel, speaker, id, session    path
	final, ends                      condition
	instant                          func(gjson.Result) Instant
}

// condition is a value that a message may have.
type condition struct {
	path path
	is   *string // nil: anything that is not nothing
}

// expect reads the value that a condition needs, if it needs a certain one.
func (c *condition) expect(values url.Values, name string) error {
	option := mapPrefix + name
	if !values.Has(option + ".is") {
		return nil
	}
	if c.path.steps == nil {
		return fmt.Errorf("%s.is needs %s: the path of the value that it speaks of", option, option)
	}
	is := values.Get(option + ".is")
	c.is = &is
	return nil
}

const mapPrefix = "map."

// mapOptions are all there are, in the order of the description.
func mapOptions() []string {
	return []string{"text", "final", "final.is", "ends", "ends.is", "each", "start", "end", "duration", "unit", "channel", "speaker", "id", "session"}
}

func newMapping(o Options) (Decoder, error) {
	if err := checkMapOptions(o.Values); err != nil {
		return nil, err
	}
	d := &mapping{partials: o.Partials}
	for name, p := range d.paths() {
		var err error
		if *p, err = parsePath(o.Values.Get(mapPrefix + name)); err != nil {
			return nil, fmt.Errorf("%s%s is %w", mapPrefix, name, err)
		}
	}
	if err := errors.Join(d.final.expect(o.Values, "final"), d.ends.expect(o.Values, "ends")); err != nil {
		return nil, err
	}
	switch {
	case d.text.steps == nil:
		return nil, fmt.Errorf("%stext is missing: the path of the words", mapPrefix)
	case d.text.fromTop && d.each.steps != nil:
		return nil, fmt.Errorf("%stext begins with $., it must be from each result", mapPrefix)
	}
	var err error
	d.instant, err = unitReader(o.Values.Get(mapPrefix + "unit"))
	return d, err
}

// paths are the options that are paths.
func (d *mapping) paths() iter.Seq2[string, *path] {
	return func(yield func(string, *path) bool) {
		_ = yield("text", &d.text) && yield("final", &d.final.path) && yield("ends", &d.ends.path) && yield("each", &d.each) &&
			yield("start", &d.start) && yield("end", &d.end) && yield("duration", &d.duration) && yield("channel", &d.channel) &&
			yield("speaker", &d.speaker) && yield("id", &d.id) && yield("session", &d.session)
	}
}

func checkMapOptions(values url.Values) error {
	for option, all := range values {
		name, ours := strings.CutPrefix(option, mapPrefix)
		switch {
		case !ours:
		case !slices.Contains(mapOptions(), name):
			return fmt.Errorf("%s is no option of the mapping: after %s it has %s", option, mapPrefix, strings.Join(mapOptions(), ", "))
		case len(all) > 1:
			return fmt.Errorf("%s is given %d times, it must be given once", option, len(all))
		case all[0] == "":
			return fmt.Errorf("%s is empty", option)
		}
	}
	return nil
}

// unitReader reads times in a unit.
func unitReader(unit string) (func(gjson.Result) Instant, error) {
	switch unit {
	case "", "s":
		return func(v gjson.Result) Instant {
			v.Str = strings.TrimSuffix(v.Str, "s")
			return in(seconds, v)
		}, nil
	case "ms":
		return func(v gjson.Result) Instant { return in(milliseconds, v) }, nil
	case "ticks":
		return func(v gjson.Result) Instant { return in(ticks, v) }, nil
	case "iso":
		return func(v gjson.Result) Instant { return offsetOf(isoDuration(v.Str)) }, nil
	case "clock":
		return func(v gjson.Result) Instant { return offsetOf(clock(label(v))) }, nil
	case "epoch-s":
		return func(v gjson.Result) Instant { return since(0, in(seconds, v)) }, nil
	case "epoch-ms":
		return func(v gjson.Result) Instant { return since(0, in(milliseconds, v)) }, nil
	case "epoch-iso":
		return moment, nil
	}
	return nil, fmt.Errorf("%sunit is %q, it must be s, ms, ticks, iso, clock, epoch-s, epoch-ms or epoch-iso", mapPrefix, unit)
}

func (d *mapping) Decode(frame []byte, emit func(Event)) error {
	top, err := object(frame)
	if err != nil {
		return err
	}
	results := []gjson.Result{top}
	if d.each.steps != nil {
		lists := walk(nil, top, d.each.steps)
		if results = members(lists); len(results) == 0 {
			emit(Event{Kind: emptyOr(lists)})
		}
	}
	for _, p := range d.paths() {
		p.from(top)
	}
	for _, r := range results {
		if e := d.event(r); e.Kind != Partial || d.partials {
			emit(e)
		}
	}
	return nil
}

// emptyOr says what a message without results is: one whose list is empty, or
// another.
func emptyOr(lists []gjson.Result) Kind {
	if len(lists) > 0 {
		return Noise
	}
	return Unknown
}

// event is what one result says.
func (d *mapping) event(r gjson.Result) Event {
	words := d.text.values(r)
	if len(words) == 0 {
		return Event{Kind: Unknown}
	}
	e := Event{Kind: Final, Text: speech(spaced(words)),
		Channel: d.channel.label(r), Speaker: d.speaker.label(r), ID: d.id.label(r), Session: d.session.label(r)}
	switch {
	case !d.final.holds(r):
		e.Kind = Partial
	case d.ends.holds(r):
	case e.Text == "":
		return Event{Kind: Noise}
	default:
		e.Kind = Piece
	}
	if starts := d.start.values(r); len(starts) > 0 {
		e.Start = d.instant(starts[0])
	}
	if ends := d.end.values(r); len(ends) > 0 {
		e.End = d.instant(ends[len(ends)-1])
	} else if lengths := d.duration.values(r); len(lengths) > 0 {
		if length := d.instant(lengths[0]); length.Known() {
			e.End = e.Start.Plus(length.ms)
		}
	}
	return e.ordered()
}

// Finish has nothing to say: nothing is remembered.
func (d *mapping) Finish(func(Event)) {}

// holds says whether the condition is fulfilled. One without a path is.
func (c *condition) holds(r gjson.Result) bool {
	if c.path.steps == nil {
		return true
	}
	for _, v := range c.path.values(r) {
		switch {
		case c.is != nil:
			return v.String() == *c.is
		case v.Type == gjson.False, v.Type == gjson.Number && v.Num == 0, v.Type == gjson.String && (v.Str == "" || strings.EqualFold(v.Str, "false")):
			return false
		default:
			return true
		}
	}
	return false
}

func spaced(words []gjson.Result) string {
	var all []string
	for _, w := range words {
		if s := strings.TrimSpace(label(w)); s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}
