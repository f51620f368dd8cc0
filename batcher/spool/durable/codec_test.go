package durable

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

// anyRecord draws a record; times are whole nanoseconds without a zone.
func anyRecord(t *rapid.T) *spool.Record {
	word := rapid.StringN(0, 8, 40)
	at := func(label string) time.Time {
		if rapid.Bool().Draw(t, label+" is zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(t, label), rapid.Int64Range(0, 1e9-1).Draw(t, label+" ns"))
	}
	r := &spool.Record{
		Org: word.Draw(t, "org"), Call: word.Draw(t, "call"), Ended: rapid.Bool().Draw(t, "ended"),
		Stream: spool.StreamID{Org: word.Draw(t, "stream org"), Call: word.Draw(t, "stream call"), ID: word.Draw(t, "stream")},
		Epoch:  word.Draw(t, "epoch"), Seq: rapid.Uint64().Draw(t, "seq"), MessageID: word.Draw(t, "id"), Speaker: word.Draw(t, "speaker"),
		Urgent: rapid.Bool().Draw(t, "urgent"), Spoken: at("spoken"), Received: at("received"),
		Message: rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "message"),
	}
	if n := rapid.IntRange(0, 3).Draw(t, "pieces"); n > 0 {
		r.Also = rapid.SliceOfN(word, n, n).Draw(t, "also")
	}
	if rapid.Bool().Draw(t, "own call") {
		r.Stream.Org, r.Stream.Call = r.Org, r.Call
	}
	return r
}

func frameOf(rs []*spool.Record, h header) []byte {
	b := beginFrame(nil)
	for _, r := range rs {
		b = appendToFrame(b, r)
	}
	endFrame(b, h)
	return b
}

func same(a, b spool.Record) bool {
	if !a.Spoken.Equal(b.Spoken) || !a.Received.Equal(b.Received) || !bytes.Equal(a.Message, b.Message) {
		return false
	}
	a.Spoken, b.Spoken, a.Received, b.Received, a.Message, b.Message = time.Time{}, time.Time{}, time.Time{}, time.Time{}, nil, nil
	return reflect.DeepEqual(a, b)
}

// What is written is read, and a flipped bit or a missing end is never read as
// something else.
func TestFramesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := make([]*spool.Record, rapid.IntRange(1, 5).Draw(t, "records"))
		h := header{writer: rapid.Uint64().Draw(t, "writer"), first: spool.Position(rapid.Uint64Range(1, 1e12).Draw(t, "first")), count: uint32(len(rs))}
		for i := range rs {
			rs[i] = anyRecord(t)
			rs[i].Position = h.first + spool.Position(i)
		}
		b := frameOf(rs, h)
		if n := wholeRecords(t, b, rs); n != len(rs) {
			t.Fatalf("%d of %d records came back", n, len(rs))
		}
		wholeRecords(t, b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], rs)
		flipped := bytes.Clone(b)
		flipped[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		wholeRecords(t, flipped, rs)
	})
}

// wholeRecords counts what can be read of a frame. All of it must be as it was
// written.
func wholeRecords(t *rapid.T, b []byte, want []*spool.Record) (n int) {
	h, body, err := parseHeader(b)
	if err != nil {
		return 0
	}
	for p, v := range records(h, body) {
		if v.err != nil {
			continue
		}
		i := int(p - want[0].Position)
		if i >= len(want) || !same(*v.record(p), *want[i]) {
			t.Fatalf("position %d came back as %+v, want %+v", p, *v.record(p), *want[i])
		}
		n++
	}
	return n
}

// A program that does not know flagAlso refuses a frame that has it, and reads
// all others.
func TestFrameVersion(t *testing.T) {
	plain, also := &spool.Record{Call: "a", MessageID: "m", Message: []byte("{}")}, &spool.Record{Call: "a", MessageID: "n", Also: []string{"o"}}
	f := func(want byte, rs ...*spool.Record) {
		t.Helper()
		if b := frameOf(rs, header{first: 1, count: uint32(len(rs))}); b[4] != want {
			t.Errorf("a frame of %+v has version %d, want %d", rs, b[4], want)
		}
	}
	f(1)
	f(1, plain, plain)
	f(2, plain, also)
	f(2, also, plain)
	b := frameOf([]*spool.Record{also}, header{first: 1, count: 1})
	b[4] = frameVersion + 1
	if _, _, err := parseHeader(b); err == nil {
		t.Error("a frame of a later version is read")
	}
}

func FuzzFrame(f *testing.F) {
	r := &spool.Record{Call: "a", Stream: spool.StreamID{Call: "a", ID: "s"}, Seq: 1, MessageID: "m", Received: time.Unix(1, 2), Message: []byte("{}")}
	f.Add(frameOf([]*spool.Record{r, {Call: "a", Ended: true}}, header{first: 1, count: 2}))
	r.Also = []string{"n", "o"}
	f.Add(frameOf([]*spool.Record{r, r}, header{first: 1, count: 2}))
	f.Add([]byte("STNF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := parseHeader(b)
		if err != nil {
			return
		}
		for p, v := range records(h, body) {
			if v.err == nil {
				v.record(p)
			} else if len(body) == 0 {
				break // all the rest are missing: there may be four billion
			}
		}
	})
}

// A note that can be read says the same when it is written and read again.
func FuzzNote(f *testing.F) {
	n := &note{
		floor: 5, high: 90, settled: []run{{7, 9}, {20, 20}}, rejected: []rejection{{8, "paused"}},
		marks:   []mark{{StreamMark: spool.StreamMark{Stream: spool.StreamID{Call: "a", ID: "s"}, Call: "a", Epoch: "e", Acked: 3, At: time.Unix(3, 4)}, last: 9}},
		forgets: []forgotten{{spool.StreamID{Call: "b", ID: "s"}, 4}},
	}
	f.Add(n.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := decodeNote(b)
		if err != nil {
			return
		}
		again, err := decodeNote(first.encode())
		if err != nil || again.floor != first.floor || again.high != first.high || len(again.settled) != len(first.settled) || len(again.marks) != len(first.marks) {
			t.Errorf("a note read as %+v, written and read again, is %+v (%v)", first, again, err)
		}
	})
}
