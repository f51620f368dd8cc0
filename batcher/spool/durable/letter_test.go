package durable

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

// A letter comes back as it was written; a flipped bit or a missing end is
// never read as another one.
func TestLettersComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := spool.DeadLetter{
			ID: 7, Record: *anyRecord(t), Reason: rapid.String().Draw(t, "reason"), Words: rapid.String().Draw(t, "words"),
			Attempts: rapid.IntRange(0, 1e6).Draw(t, "attempts"), Ambiguous: rapid.Bool().Draw(t, "ambiguous"),
			Rejected: time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "rejected")),
		}
		if rapid.Bool().Draw(t, "was sent") {
			d.Sent = d.Rejected.Add(-time.Second)
		}
		d.Record.Position = spool.Position(rapid.Uint64().Draw(t, "position"))
		b := encodeLetter(&d)
		d.Record.Also = nil // nobody asks a letter for them
		got, err := decodeLetter(7, b)
		if err != nil || !same(got.Record, d.Record) || got.Reason != d.Reason || got.Words != d.Words || got.Attempts != d.Attempts ||
			got.Ambiguous != d.Ambiguous || !got.Sent.Equal(d.Sent) || !got.Rejected.Equal(d.Rejected) || got.ID != 7 {
			t.Fatalf("%+v came back as %+v, %v", d, got, err)
		}
		if _, err := decodeLetter(7, b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); err == nil {
			t.Fatal("a letter that was cut is read")
		}
		flipped := bytes.Clone(b)
		flipped[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := decodeLetter(7, flipped); err == nil {
			t.Fatal("a letter with a flipped bit is read")
		}
	})
}

func FuzzLetter(f *testing.F) {
	f.Add(encodeLetter(&spool.DeadLetter{Record: spool.Record{Call: "a", Message: []byte("{}")}, Reason: "invalid", Rejected: time.Unix(1, 0)}))
	f.Add([]byte("STNL\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeLetter(1, b)
		if err != nil {
			return
		}
		again, err := decodeLetter(1, encodeLetter(&d))
		if err != nil || !same(again.Record, d.Record) || again.Words != d.Words {
			t.Fatalf("%+v is written as what is read as %+v, %v", d, again, err)
		}
	})
}
