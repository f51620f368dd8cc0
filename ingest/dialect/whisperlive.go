package dialect

import (
	"hash/maphash"
	"slices"

	"github.com/tidwall/gjson"
)

// whisperLive reads what a WhisperLive server says. Read in
// collabora/WhisperLive@bde730b whisper_live/backend/base.py, server.py and
// client.py.
//
// Each message repeats the newest completed segments, ten by default, and ends
// with the one under way: a completed segment is taken once, known by its times
// and text. The last segment often never becomes completed, as that takes a
// segment after it: it is promoted at the end. Times are strings of seconds
// from the start of the server's session, which it ends after ten minutes by
// default; SERVER_READY begins the next. There are no ids. uid names the
// session, and stands in every message. Texts begin with a space.
// Translations come in messages of their own, and are left.
type whisperLive struct {
	partials bool
	seed     maphash.Seed
	taken    []uint64 // hashes of the newest completed segments, at most maxTaken
	last     Event    // the segment under way, as a Final; no Text: none
}

// maxTaken is above what any server repeats, and bounds what is remembered.
const maxTaken = 1024

func newWhisperLive(o Options) (Decoder, error) {
	return &whisperLive{partials: o.Partials, seed: maphash.MakeSeed()}, nil
}

func (d *whisperLive) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	session, message := label(o.Get("uid")), label(o.Get("message"))
	switch status := o.Get("status").Str; {
	case o.Get("segments").IsArray():
		d.segments(o, session, emit)
	case message == "SERVER_READY":
		d.Finish(emit)
		d.taken = nil
		emit(Event{Kind: Begin, Session: session})
	case message == "DISCONNECT":
		d.Finish(emit)
		emit(Event{Kind: End, Session: session})
	case status == "WAIT":
		emit(Event{Kind: Failure, Text: speech("WAIT " + message), Session: session}) // the server is full, for so many minutes
	case status == "ERROR":
		emit(Event{Kind: Failure, Text: speech(message), Session: session})
	case status == "WARNING", told(o.Get("language")), told(o.Get("translated_segments")):
		emit(Event{Kind: Noise, Session: session})
	default:
		emit(Event{Kind: Unknown, Session: session})
	}
	return nil
}

func (d *whisperLive) segments(o gjson.Result, session string, emit func(Event)) {
	d.last = Event{}
	for s := range objects(o.Get("segments")) {
		e := Event{Kind: Final, Text: speech(s.Get("text").Str), Start: in(seconds, s.Get("start")), End: in(seconds, s.Get("end")),
			Channel: label(s.Get("channel")), Speaker: label(s.Get("speaker")), Session: session}.ordered()
		switch {
		case !yes(s.Get("completed")):
			d.last = e.kept()
			if d.partials {
				e.Kind = Partial
				emit(e)
			}
		case d.take(e):
			emit(e)
		}
	}
}

// segment is what a segment is known by. A speaker may be told later.
type segment struct {
	start, end    Instant
	channel, text string
}

// take says whether a completed segment is new, and remembers it.
func (d *whisperLive) take(e Event) bool {
	hash := maphash.Comparable(d.seed, segment{e.Start, e.End, e.Channel, e.Text})
	if slices.Contains(d.taken, hash) {
		return false
	}
	if len(d.taken) == maxTaken {
		d.taken = slices.Delete(d.taken, 0, maxTaken/2)
	}
	d.taken = append(d.taken, hash)
	return true
}

// Finish promotes the segment under way.
func (d *whisperLive) Finish(emit func(Event)) {
	if d.last.Text != "" && d.take(d.last) {
		emit(d.last)
	}
	d.last = Event{}
}
