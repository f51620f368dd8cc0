package assembly_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/steno/ingest/assembly"
	"example.com/steno/ingest/dialect"
	"pgregory.net/rapid"
)

// beat is something of a session, and how long after the one before it.
type beat struct {
	after time.Duration
	event dialect.Event
}

// session draws what an engine says: words that are all different, so that
// each can be followed. An engine of style "times" tells those, one of style
// "ids" has names, and one of style "words" neither.
func session(t *rapid.T, style string) (beats []beat, restarts bool) {
	word, clock := 0, map[string]int64{}
	count := rapid.IntRange(1, 30).Draw(t, "beats")
	for i := range count {
		channel := rapid.SampledFrom([]string{"0", "1"}).Draw(t, "channel")
		e := dialect.Event{
			Kind:    rapid.SampledFrom([]dialect.Kind{dialect.Piece, dialect.Piece, dialect.Final, dialect.Boundary, dialect.Partial}).Draw(t, "kind"),
			Channel: channel, Speaker: rapid.SampledFrom([]string{"", "", "S1"}).Draw(t, "speaker"),
		}
		if e.Kind == dialect.Boundary {
			e.End = dialect.Offset(clock[channel] - rapid.Int64Range(0, 300).Draw(t, "late"))
			e.Channel = rapid.SampledFrom([]string{channel, ""}).Draw(t, "of")
		} else {
			var words []string
			for range rapid.IntRange(0, 3).Draw(t, "words") {
				word++
				words = append(words, fmt.Sprint("w", word))
			}
			e.Text = strings.Join(words, " ")
		}
		if e.Kind == dialect.Final && style == "ids" {
			e.Hold = rapid.Bool().Draw(t, "hold")
		}
		switch style {
		case "times":
			start := clock[channel] + rapid.Int64Range(0, 2000).Draw(t, "silence")
			if rapid.IntRange(0, 20).Draw(t, "restart") == 0 {
				start, restarts = 0, true
			}
			clock[channel] = start + 300
			e.Start, e.End = dialect.Offset(start), dialect.Offset(start+300)
		case "ids":
			e.ID = fmt.Sprint("id", i)
		}
		beats = append(beats, beat{time.Duration(rapid.Int64Range(0, 4000).Draw(t, "after")) * time.Millisecond, e})
	}
	return beats, restarts
}

// Whatever an engine says, and however often its connection is cut and its
// words are sent again: every word that stands leaves once, in its channel's
// order, and within the time that the rules promise.
func TestNoWordIsLostOrDoubled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		style := rapid.SampledFrom([]string{"times", "ids", "words"}).Draw(rt, "style")
		beats, restarts := session(rt, style)
		b := newTable(t, assembly.Source{})
		for seen := 0; seen < len(beats); {
			from := 0
			if style != "words" && !restarts { // else runs or words are numbered from the beginning on
				from = rapid.IntRange(0, seen).Draw(rt, "from")
			}
			to := rapid.IntRange(seen, len(beats)).Draw(rt, "to")
			b.connect(assembly.Source{Start: began.UnixMilli()})
			for _, beat := range beats[from:to] {
				b.wait(beat.after)
				b.take(beat.event)
				if next := b.a.Next(); !next.IsZero() && next.Sub(b.now) > 3*time.Second {
					rt.Errorf("something waits for %v", next.Sub(b.now))
				}
			}
			if rapid.Bool().Draw(rt, "quietly") {
				b.wait(5 * time.Second)
				if next := b.a.Next(); !next.IsZero() {
					rt.Errorf("something is due at %v after five seconds of silence", next)
				}
			} else {
				b.a.Flush() // the connection is cut
				b.ready()
			}
			seen = max(seen, to)
		}
		for _, channel := range []string{"0", "1"} {
			var want, got []string
			for _, beat := range beats {
				if k := beat.event.Kind; (k == dialect.Piece || k == dialect.Final) && beat.event.Channel == channel {
					want = append(want, strings.Fields(beat.event.Text)...)
				}
			}
			for _, u := range b.left {
				if u.Channel == channel {
					got = append(got, strings.Fields(u.Text)...)
				}
				if u.End < u.Start {
					rt.Errorf("an utterance ends at %d, before %d where it starts", u.End, u.Start)
				}
			}
			if !slices.Equal(got, want) {
				rt.Errorf("channel %s: %q left, want %q", channel, got, want)
			}
		}
	})
}
