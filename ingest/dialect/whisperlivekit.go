package dialect

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// whisperLiveKit reads what a WhisperLiveKit server says on /asr. Read in
// QuentinFuxa/WhisperLiveKit@ed571b69 docs/API.md and timed_objects.py.
//
// Each message is the whole state: lines, the last of which grows, and text
// that is not in a line yet (buffer_diarization, buffer_transcription). With
// mode=diff a snapshot is the state, and a diff the change of it. Speaker -2 is
// silence, and such a line has no text. Times are "0:00:04": whole seconds of
// the session. There are no ids and no session.
//
//	R1  a line is final when it is not the last any more, or with the buffers
//	    after it at the end: ready_to_stop, a new session, Finish
//	R2  a line is known by its start, its speaker, and which of such lines in a
//	    row it is; it is given once. One that changed afterwards, or was cut
//	    out of one that was given, is a revision
//	R3  lines that begin before all that is remembered were given before
//	R4  a state whose last line begins before one that was given is of a new
//	    session
//
// The ID has the words in it, as two sessions of a call have no other
// difference.
type whisperLiveKit struct {
	partials bool
	count    int    // of the lines that the engine has, for diffs
	last     line   // the newest line; no text: silence, or none
	buffer   string // what follows it
	given    []line // the newest that were given, oldest first, at most maxGiven
}

const (
	maxGiven    = 16
	maxCut      = 4096 // bytes: no part is looked for in a longer line
	kitsSilence = "-2"
)

// line is one line of the state.
type line struct {
	speaker, text string
	start, end    Instant
	n             int // of lines before it in a row with the same start and speaker
}

func newWhisperLiveKit(o Options) (Decoder, error) { return &whisperLiveKit{partials: o.Partials}, nil }

func (d *whisperLiveKit) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	failure := speech(label(o.Get("error")))
	if failure != "" {
		emit(Event{Kind: Failure, Text: failure})
	}
	switch kind := o.Get("type").Str; {
	case kind == "config":
		d.begin(emit)
	case kind == "ready_to_stop":
		d.Finish(emit)
		emit(Event{Kind: End})
	case kind == "diff":
		d.diff(o, emit)
	case o.Get("lines").IsArray():
		d.state(o, emit)
	case failure == "":
		emit(Event{Kind: Unknown})
	}
	return nil
}

func (d *whisperLiveKit) begin(emit func(Event)) {
	d.Finish(emit)
	d.count, d.given = 0, nil
	emit(Event{Kind: Begin})
}

// state takes in the whole state.
func (d *whisperLiveKit) state(o gjson.Result, emit func(Event)) {
	lines := numbered(line{}, kitLines(o.Get("lines")))[1:]
	if n := len(lines); n > 0 && d.restarted(lines[n-1]) { // R4
		d.begin(emit)
	}
	d.count = len(lines)
	d.take(lines, o, emit)
}

// diff takes in a change: lines_pruned lines fewer at the front, new_lines at
// the end, n_lines in all. The new ones replace what would be too many.
func (d *whisperLiveKit) diff(o gjson.Result, emit func(Event)) {
	fresh := kitLines(o.Get("new_lines"))
	kept := max(0, d.count-kitCount(o.Get("lines_pruned")))
	d.count = kept + len(fresh)
	if n := o.Get("n_lines"); told(n) && kitCount(n) < d.count {
		d.count = kitCount(n)
		d.last.n-- // its place is taken by the first of the new ones
		d.take(numbered(d.last, fresh)[1:], o, emit)
		return
	}
	d.take(numbered(d.last, fresh), o, emit)
}

// take settles all lines but the last (R1).
func (d *whisperLiveKit) take(lines []line, o gjson.Result, emit func(Event)) {
	d.last = line{}
	if n := len(lines); n > 0 {
		for _, l := range lines[:n-1] {
			d.settle(l, emit)
		}
		d.last = lines[n-1].kept()
	}
	d.buffer = strings.Clone(o.Get("buffer_diarization").Str + o.Get("buffer_transcription").Str)
	if e := d.tail(); d.partials && e.Text != "" {
		e.Kind, e.ID = Partial, ""
		emit(e)
	}
}

func kitLines(all gjson.Result) []line {
	var lines []line
	for v := range objects(all) {
		l := line{speaker: label(v.Get("speaker")), text: speech(v.Get("text").Str),
			start: kitTime(v.Get("start")), end: kitTime(v.Get("end"))}
		if l.speaker == kitsSilence {
			l.text = ""
		}
		lines = append(lines, l)
	}
	return lines
}

// numbered puts a line before others, and numbers these as R2 says.
func numbered(before line, lines []line) []line {
	lines = slices.Insert(lines, 0, before)
	for i := range lines[1:] {
		if before, l := &lines[i], &lines[i+1]; l.start == before.start && l.speaker == before.speaker {
			l.n = before.n + 1
		}
	}
	return lines
}

// kitCount is a number of lines, which is not believed to be absurd.
func kitCount(v gjson.Result) int { return int(min(max(v.Int(), 0), 1<<30)) }

func kitTime(v gjson.Result) Instant {
	ms, ok := clock(label(v))
	if !ok {
		return Instant{}
	}
	return Offset(ms)
}

// settle gives a line that is final, if it was not given before (R2).
func (d *whisperLiveKit) settle(l line, emit func(Event)) {
	if l.text == "" || d.forgotten(l) {
		return
	}
	if slices.ContainsFunc(d.given, func(g line) bool { return g.same(l) && g.text == l.text }) {
		return
	}
	if slices.ContainsFunc(d.given, func(g line) bool { return g.same(l) || l.within(g) }) {
		emit(Event{Kind: Revision, ID: l.id()})
	} else {
		emit(l.final())
	}
	if len(d.given) == maxGiven {
		d.given = slices.Delete(d.given, 0, 1)
	}
	d.given = append(d.given, l.kept())
}

// kept is the line as it is remembered: see Event.kept.
func (l line) kept() line {
	l.text, l.speaker = strings.Clone(l.text), strings.Clone(l.speaker)
	return l
}

// forgotten is R3.
func (d *whisperLiveKit) forgotten(l line) bool {
	if len(d.given) < maxGiven || !l.start.Known() {
		return false
	}
	return !slices.ContainsFunc(d.given, func(g line) bool { return g.start.ms < l.start.ms || g.same(l) })
}

// restarted is R4.
func (d *whisperLiveKit) restarted(last line) bool {
	return last.start.Known() && slices.ContainsFunc(d.given, func(g line) bool { return g.start.ms > last.start.ms })
}

func (l line) same(other line) bool {
	return l.start == other.start && l.speaker == other.speaker && l.n == other.n
}

// within says whether a line was cut out of another. One that begins when the
// other ends was not: short answers often repeat the last word.
func (l line) within(other line) bool {
	return l.start.ms >= other.start.ms && l.start.ms < other.end.ms && l.end.ms <= other.end.ms &&
		len(other.text) <= maxCut && strings.Contains(other.text, l.text) && (l.start != other.start || l.speaker != other.speaker)
}

func (l line) final() Event {
	return Event{Kind: Final, Text: l.text, Start: l.start, End: l.end, Speaker: l.speaker, ID: l.id()}.ordered()
}

func (l line) id() string {
	words := fnv.New32a()
	words.Write([]byte(l.text))
	return fmt.Sprintf("%d/%s/%08x", l.start.ms, l.speaker, words.Sum32())
}

// tail is the last line with what follows it.
func (d *whisperLiveKit) tail() Event {
	l := d.last
	if strings.TrimSpace(d.buffer) != "" {
		if l.text == "" {
			l = line{start: l.end}
		}
		l.text, l.end = speech(l.text+d.buffer), Instant{}
	}
	return l.final()
}

// Finish gives what may still have grown (R1).
func (d *whisperLiveKit) Finish(emit func(Event)) {
	if e := d.tail(); e.Text != "" && !slices.ContainsFunc(d.given, d.last.same) {
		emit(e)
		d.given = append(d.given, d.last)
	}
	d.last, d.buffer = line{}, ""
}
