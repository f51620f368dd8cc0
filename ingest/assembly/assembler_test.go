package assembly_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/steno/ingest/assembly"
	"example.com/steno/ingest/dialect"
)

// began is when the tests' audio begins.
var began = time.UnixMilli(1_573_503_300_000)

// table is an assembler on a test's table: what it has let go is known to the
// next one, as it is to a call.
type table struct {
	t     *testing.T
	a     *assembly.Assembler
	known map[assembly.ID]bool
	now   time.Time
	left  []assembly.Utterance
}

func newTable(t *testing.T, s assembly.Source) *table {
	b := &table{t: t, known: map[assembly.ID]bool{}, now: began}
	b.connect(s)
	return b
}

// connect begins a new source of the same call.
func (b *table) connect(s assembly.Source) {
	s.Call, s.Dialect = "b09955ce", "script"
	b.a = assembly.New(s, func(p assembly.Piece) bool { return b.known[p.ID] })
}

// take takes in events at the table's time, and lets go what is ready.
func (b *table) take(events ...dialect.Event) {
	for _, e := range events {
		b.a.Take(&e, b.now)
		b.ready()
	}
}

func (b *table) ready() {
	for _, u := range b.a.Ready(b.now) {
		for _, p := range u.Pieces {
			b.known[p.ID] = true
		}
		b.left = append(b.left, u)
	}
}

// wait lets time pass, and looks whenever the assembler asks for it.
func (b *table) wait(d time.Duration) {
	until := b.now.Add(d)
	for next := b.a.Next(); !next.IsZero() && !next.After(until); next = b.a.Next() {
		b.now = next
		b.ready()
	}
	b.now = until
}

// want compares what has left since the last want: "channel: text" each.
func (b *table) want(want ...string) {
	b.t.Helper()
	var got []string
	for _, u := range b.left {
		got = append(got, u.Channel+": "+u.Text)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("left %q, want %q", got, want)
	}
	b.left = nil
}

// wantTimes compares the times of what has left, in ms since began.
func (b *table) wantTimes(want string) {
	b.t.Helper()
	var got []string
	for _, u := range b.left {
		got = append(got, fmt.Sprintf("%d-%d", u.Start-began.UnixMilli(), u.End-began.UnixMilli()))
	}
	if strings.Join(got, " ") != want {
		b.t.Errorf("times are %q, want %q", strings.Join(got, " "), want)
	}
	b.left = nil
}

// piece is words on channel 0, from and to in ms; a negative time is unknown.
func piece(text string, from, to int64) dialect.Event {
	e := dialect.Event{Kind: dialect.Piece, Text: text, Channel: "0"}
	if from >= 0 {
		e.Start = dialect.Offset(from)
	}
	if to >= 0 {
		e.End = dialect.Offset(to)
	}
	return e
}

func final(text string, from, to int64) dialect.Event {
	return as(dialect.Final, piece(text, from, to))
}

func as(k dialect.Kind, e dialect.Event) dialect.Event { e.Kind = k; return e }

func on(channel string, e dialect.Event) dialect.Event { e.Channel = channel; return e }

func by(speaker string, e dialect.Event) dialect.Event { e.Speaker = speaker; return e }

func named(id string, hold bool, e dialect.Event) dialect.Event { e.ID, e.Hold = id, hold; return e }

func glued(e dialect.Event) dialect.Event { e.Glued = true; return e }

func boundary(channel string, end int64) dialect.Event {
	return dialect.Event{Kind: dialect.Boundary, Channel: channel, End: dialect.Offset(end)}
}

// A1, A2: what closes a turn, and what does not.
func TestTurns(t *testing.T) {
	long := strings.Repeat("word ", 390) // nearly maxBytes
	f := func(name string, events []dialect.Event, want ...string) {
		t.Run(name, func(t *testing.T) {
			b := newTable(t, assembly.Source{})
			b.take(events...)
			b.want(want...)
		})
	}
	first, second := piece("My parcel was due", 4910, 6410), piece("on Monday", 6550, 7620)
	f("nothing", []dialect.Event{first, second})
	f("a final", []dialect.Event{first, as(dialect.Final, second)}, "0: My parcel was due on Monday")
	f("an empty final", []dialect.Event{first, second, on("0", dialect.Event{Kind: dialect.Final})}, "0: My parcel was due on Monday")
	f("an empty final of another channel", []dialect.Event{first, on("1", dialect.Event{Kind: dialect.Final})})
	f("a boundary", []dialect.Event{first, second, boundary("0", 7620)}, "0: My parcel was due on Monday")
	f("a boundary without a time", []dialect.Event{first, {Kind: dialect.Boundary}}, "0: My parcel was due")
	f("a boundary of all channels", []dialect.Event{first, on("1", second), boundary("", 7620)}, "0: My parcel was due", "1: on Monday")
	f("a boundary of another channel", []dialect.Event{first, boundary("1", 7620)})
	f("a boundary that was late", []dialect.Event{first, second, boundary("0", 6410)})
	f("a second boundary", []dialect.Event{first, boundary("0", 6410), boundary("0", 6410)}, "0: My parcel was due")
	f("another speaker", []dialect.Event{by("S1", first), by("S2", second)}, "0: My parcel was due")
	f("a gap", []dialect.Event{first, piece("on Monday", 7411, 8000)}, "0: My parcel was due")
	f("no gap yet", []dialect.Event{first, piece("on Monday", 7410, 8000)})
	f("length in bytes", []dialect.Event{piece(long, 0, 1000), piece("1234567890 1234567890 1234567890 1234567890 1234567890", 1000, 1100)}, "0: "+strings.TrimSpace(long))
	f("length in time", []dialect.Event{piece("so", 0, 15000), piece("on", 15000, 30000), piece("and", 30000, 30001)}, "0: so on")
	f("the session's end", []dialect.Event{first, {Kind: dialect.End}}, "0: My parcel was due")
	f("another session", []dialect.Event{
		{Kind: dialect.Begin, Session: "s1"}, first, {Kind: dialect.Begin, Session: "s2"},
	}, "0: My parcel was due")
	f("the same session", []dialect.Event{
		{Kind: dialect.Begin, Session: "s1"}, first, {Kind: dialect.Begin, Session: "s1"},
	})
	// A6.
	f("nothing said", []dialect.Event{final("", 0, 100), final(" . ", 100, 200), piece("…", 0, 1)})
	f("glued", []dialect.Event{
		glued(piece("My par", 0, 100)), glued(piece("cel", 100, 200)), glued(piece(" came", 200, 300)), glued(piece(".", 300, 300)), boundary("0", 300),
	}, "0: My parcel came.")
	f("a full stop that nobody said", []dialect.Event{
		by("S1", glued(piece("Yes", 0, 100))), by("S2", glued(piece(".", 100, 100))), by("S2", glued(piece("No", 100, 200))), boundary("0", 200),
	}, "0: Yes.", "0: No")
	f("a full stop alone", []dialect.Event{glued(final(".", 300, 300))})
}

// A2: the clock closes what nobody else does.
func TestIdle(t *testing.T) {
	b := newTable(t, assembly.Source{})
	b.take(piece("My parcel", 0, 900))
	b.wait(2999 * time.Millisecond)
	b.want()
	b.take(as(dialect.Partial, piece("was", 900, 1000))) // somebody speaks
	b.wait(2999 * time.Millisecond)
	b.want()
	b.wait(time.Millisecond)
	b.want("0: My parcel")
	if next := b.a.Next(); !next.IsZero() {
		t.Errorf("Next is %v with nothing under way", next)
	}
	b.take(piece("and", 9000, 9100))
	for range 31 {
		b.wait(time.Second)
		b.take(as(dialect.Partial, piece("so on", 0, 0)))
	}
	b.want("0: and")
}

// A3, A4, A5.
func TestHold(t *testing.T) {
	b := newTable(t, assembly.Source{})
	raw, formatted := named("2", true, final("my parcel was due", 0, 900)), named("2", false, final("My parcel was due.", 0, 900))
	b.take(raw)
	b.want()
	b.take(named("3", false, final("Yes.", 1000, 1100)), on("1", final("Hello", 0, 100)))
	b.want("1: Hello")
	b.take(formatted)
	b.want("0: My parcel was due.", "0: Yes.")
	b.take(formatted, raw)
	b.want()

	b.take(named("4", true, final("no more", 2000, 2100)))
	b.wait(1499 * time.Millisecond)
	b.want()
	b.wait(time.Millisecond)
	b.want("0: no more")
	b.take(named("4", false, final("No more!", 2000, 2100)))
	b.want()

	b.take(named("5", false, piece("a piece", 3000, 3100)), named("5", false, final("A piece.", 3000, 3100)))
	b.want("0: A piece.")

	b.take(named("6", true, final("at the end", 4000, 4100)))
	b.a.Flush()
	b.ready()
	b.want("0: at the end")
	for i := range 100 {
		b.take(named(fmt.Sprint("flood", i), true, final("flood", 5000, 5100)))
	}
	b.want()
	b.wait(1500 * time.Millisecond)
	if len(b.left) != 100 {
		t.Errorf("%d of 100 have left", len(b.left))
	}
}

// A4: no engine makes an assembler hold back without bound.
func TestHoldIsBounded(t *testing.T) {
	b := newTable(t, assembly.Source{})
	for i := range 200 {
		channel := fmt.Sprint(i)
		b.take(on(channel, named("x", true, final("flood", 0, 100))))
	}
	if len(b.left) < 200-2*64 {
		t.Errorf("%d of 200 have left, want all but some 64", len(b.left))
	}
}

// A8: nor of remembering channels.
func TestChannelsAreBounded(t *testing.T) {
	b := newTable(t, assembly.Source{})
	for i := range 200 {
		b.take(on(fmt.Sprint(i), piece("word", 0, 100)))
	}
	if len(b.left) != 192 {
		t.Errorf("%d of 200 have left, want three times 64", len(b.left))
	}
}

// T1 to T4, and what is missing.
func TestTimes(t *testing.T) {
	start := began.UnixMilli()
	f := func(name string, s assembly.Source, want string, events ...dialect.Event) {
		t.Run(name, func(t *testing.T) {
			b := newTable(t, s)
			b.now = began.Add(time.Minute)
			b.take(events...)
			b.wantTimes(want)
		})
	}
	given := assembly.Source{Start: start}
	f("from the given start", given, "4910-7620", piece("a", 4910, 6410), final("b", 6550, 7620))
	f("from the session's", assembly.Source{}, "4910-7620",
		dialect.Event{Kind: dialect.Begin, Start: dialect.Absolute(start)}, final("a", 4910, 7620))
	f("the given one wins", given, "4910-7620",
		dialect.Event{Kind: dialect.Begin, Session: "s1", Start: dialect.Absolute(start + 5)}, final("a", 4910, 7620))
	f("the second session's", given, "0-100 40000-40100",
		dialect.Event{Kind: dialect.Begin, Session: "s1"}, final("a", 0, 100),
		dialect.Event{Kind: dialect.Begin, Session: "s2", Start: dialect.Absolute(start + 40_000)}, final("a", 0, 100))
	f("absolute", given, "1000-2000", dialect.Event{Kind: dialect.Final, Text: "a", Start: dialect.Absolute(start + 1000), End: dialect.Absolute(start + 2000)})
	f("no time of a call", given, "59600-60000", dialect.Event{Kind: dialect.Final, Text: "a", Start: dialect.Absolute(7), End: dialect.Absolute(8)})
	f("by arrival", assembly.Source{}, "58800-60000", final("three words long", -1, -1))
	f("without a start", given, "6420-7620", final("three words long", -1, 7620))
	f("without a start, behind others", given, "6000-7000 7000-7620", final("a", 6000, 7000), final("three words long", -1, 7620))
	f("without an end", given, "4910-6110", final("three words long", 4910, -1))
	f("without an end, just come", given, "59900-60000", final("three words long", 59_900, -1))
	f("an end before the start", given, "7620-7620", final("a", 7620, 4910))
	f("a clock that starts over", given, "50000-50100 0-100 59900-60000",
		final("a", 50_000, 50_100), on("1", final("b", 0, 100)), final("c", 100, 200))
	f("a channel that speaks first in the second run", given, "50000-50100 59900-60000 59600-59700",
		final("a", 50_000, 50_100), final("b", 900, 1000), on("1", final("c", 600, 700)))
	f("out of order is no new clock", given, "50000-50100 45000-45100", final("a", 50_000, 50_100), final("c", 45_000, 45_100))
}

// T2: the estimate comes down to the truth, and both channels share it.
func TestEstimate(t *testing.T) {
	b := newTable(t, assembly.Source{})
	b.now = began.Add(3 * time.Second)
	b.take(final("late", 500, 1000))
	b.wantTimes("2500-3000")
	b.now = began.Add(4 * time.Second)
	b.take(as(dialect.Partial, piece("quick", 3500, 3900)), final("late", 2000, 2400), on("1", final("other", 2900, 3000)))
	b.wantTimes("2100-2500 3000-3100")
	b.now = began.Add(41 * time.Second)
	b.take(on("1", final("before a restart", 40_000, 40_500)))
	b.now = began.Add(50 * time.Second)
	b.take(on("1", final("x", 0, 500)), final("y", 2100, 2500), final("x", 100, 500))
	b.wantTimes("40100-40600 49500-50000 2200-2600 200-600") // channel 0 has not gone back by enough to tell
}

// I1 to I3, A7: from whichever piece on an engine's words come again, nothing
// is taken twice; a new session's words are new.
func TestReplay(t *testing.T) {
	f := func(name string, s assembly.Source, fromAny bool, events ...dialect.Event) {
		t.Run(name, func(t *testing.T) {
			for from := range events {
				if from > 0 && !fromAny {
					break
				}
				b := newTable(t, s)
				b.take(events...)
				b.a.Flush()
				b.ready()
				said := len(b.left)
				again := s
				again.Session = b.a.Session()
				b.connect(again)
				b.take(events[from:]...)
				b.a.Flush()
				b.ready()
				if len(b.left) != said {
					t.Errorf("from %d on: %d utterances became %d", from, said, len(b.left))
				}
			}
		})
	}
	begin := dialect.Event{Kind: dialect.Begin, Session: "s1"}
	f("ids", assembly.Source{}, true, begin, named("1", false, final("a", -1, -1)), named("2", false, piece("a", -1, -1)), named("3", false, final("a", -1, -1)))
	f("times", assembly.Source{}, true, begin, final("a", 0, 100), piece("a", 200, 300), final("a", 400, 500), final("b", -1, 600))
	f("words", assembly.Source{}, false, final("yes", -1, -1), final("yes", -1, -1), final("no", -1, -1))

	// What is said in the same words at the same offset of the next run is new.
	b := newTable(t, assembly.Source{})
	b.take(final("okay", 4000, 4500), final("long ago", 60_000, 60_500), final("hello", 0, 500), final("okay", 4000, 4500))
	b.want("0: okay", "0: long ago", "0: hello", "0: okay")
	b = newTable(t, assembly.Source{})
	for i := range 10_001 { // what is remembered of an engine without ids and times is bounded; no word is lost to that
		b.take(final("yes", -1, -1), final(fmt.Sprint("word", i), -1, -1))
	}
	if len(b.left) != 2*10_001 {
		t.Errorf("%d utterances left, want %d", len(b.left), 2*10_001)
	}
	b = newTable(t, assembly.Source{})
	b.take(begin, named("1", false, final("a", -1, -1)), dialect.Event{Kind: dialect.Begin, Session: "s2"}, named("1", false, final("a", -1, -1)))
	b.want("0: a", "0: a")
	// Without a session a name says little, as where its beginning was missed.
	b = newTable(t, assembly.Source{})
	b.take(named("1", false, final("a", 0, 100)))
	b.connect(assembly.Source{})
	b.take(named("1", false, final("b", 300, 400)), named("1", false, final("a", 0, 100)))
	b.want("0: a", "0: b")
	// Unless it is unique.
	unique := func(e dialect.Event) dialect.Event { e.ID, e.Unique = "item", true; return e }
	b.take(unique(final("a", 0, 100)), unique(final("a", -1, -1)))
	b.connect(assembly.Source{Session: "s3"})
	b.take(unique(final("a", -1, 100)))
	b.want("0: a")
	for _, other := range []assembly.Source{{Nonce: "n1"}, {Nonce: "n2"}, {Leg: "l"}} {
		b.connect(other)
		b.take(final("words", -1, -1))
	}
	b.want("0: words", "0: words", "0: words")
}

// A7: what another source was faster with is left out when the turn leaves.
func TestTakenMeanwhile(t *testing.T) {
	b := newTable(t, assembly.Source{})
	b.take(piece("one", 0, 100), piece("two", 100, 200))
	slow, left := b.a, b.left
	b.connect(assembly.Source{})
	b.take(final("one", 0, 100))
	b.want("0: one")
	b.a, b.left = slow, left
	b.take(final("three", 200, 300))
	b.want("0: two three")
	b.take(piece("four", 300, 400))
	slow = b.a
	b.connect(assembly.Source{})
	b.take(final("four", 300, 400))
	b.left, b.a = nil, slow
	b.a.Flush()
	b.ready()
	b.want()
}
