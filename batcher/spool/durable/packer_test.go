package durable

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

// K1, K2 and K5: what stays comes in its order and under its position, what is
// gone does not, and no frame is one too many.
func TestPackerKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.IntRange(1, 6).Draw(t, "frames")
		var records []*spool.Record
		var gone []bool
		var old [][]byte
		for range frames {
			h := header{first: spool.Position(len(records) + 1), count: uint32(rapid.IntRange(1, 4*maxHollow).Draw(t, "records"))}
			big := rapid.IntRange(0, 3).Draw(t, "big") == 0
			every := uint32(rapid.SampledFrom([]int{1, 2, maxHollow, maxHollow + 2, 3 * maxHollow}).Draw(t, "one in so many stays"))
			for i := range h.count {
				gone = append(gone, i%every != 0)
				r := &spool.Record{Call: "a", Received: time.Unix(1, 0), Message: []byte("x")}
				if big {
					r.Message = bytes.Repeat(r.Message, maxFrameBytes/20)
				}
				records = append(records, r)
			}
			old = append(old, frameOf(records[h.first-1:], h))
		}
		p := &packing{old: &held{span: span{first: 1, last: spool.Position(len(records))}}, erase: true, gone: gone}
		var packed [][]byte
		w := &packer{packing: p, new: &held{}, publish: func(_ uint16, data []byte) (uint64, error) {
			packed = append(packed, bytes.Clone(data))
			return uint64(len(packed)), nil
		}}
		for i, data := range old {
			if err := w.frame(uint64(i+1), data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		if len(packed) > frames {
			t.Fatalf("K5: %d frames are packed into %d", frames, len(packed))
		}
		wantStays(t, packed, records, p.gone)
	})
}

func wantStays(t *rapid.T, packed [][]byte, said []*spool.Record, gone []bool) {
	t.Helper()
	stays := map[spool.Position]bool{}
	last := spool.Position(0)
	for _, data := range packed {
		h, body, err := parseHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		for p, v := range records(h, body) {
			if p <= last {
				t.Fatalf("K1: position %d comes after %d", p, last)
			}
			last = p
			if v.err != nil { // hollow
				continue
			}
			if !bytes.Equal(v.message, said[p-1].Message) {
				t.Fatalf("K1: position %d has other words", p)
			}
			stays[p] = true
		}
	}
	for i, isGone := range gone {
		if stays[spool.Position(i+1)] == isGone {
			t.Fatalf("K2: position %d is there: %v, gone: %v", i+1, !isGone, isGone)
		}
	}
}
