package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"example.com/steno/batcher/spool"
)

const (
	noteMagic   = "STNS"
	noteVersion = 1
	maxNote     = 128 << 10 // a longer one is written as several: notes are united, not replaced
)

var errNotANote = errors.New("not a note of settlements")

// run is the positions first to last.
type run struct{ first, last spool.Position }

// note is a message of the second stream: what has become of records since
// the note before. The state of the spool is the union of all its notes, in
// any order, any of them twice.
type note struct {
	floor    spool.Position // everything below is settled
	high     spool.Position // everything up to here was acknowledged
	settled  []run
	rejected []rejection // of those in settled
	marks    []mark
	forgets  []forgotten
	letters  letterCount // older versions do not write it, and pass over it
}

type rejection struct {
	position spool.Position
	reason   string
}

// mark is a stream's, with the position of its last record.
type mark struct {
	spool.StreamMark
	last  spool.Position
	saved bool // a note holds it
}

// forgotten says that no mark of the stream from before position counts.
type forgotten struct {
	stream   spool.StreamID
	position spool.Position
}

// letterCount tells how many dead letters there must be.
type letterCount struct {
	last    uint64 // the highest number that was given to one
	dropped uint64 // how many are gone, or may be
}

// unite takes the higher of each.
func (c *letterCount) unite(o letterCount) {
	c.last, c.dropped = max(c.last, o.last), max(c.dropped, o.dropped)
}

func (n *note) encode() []byte {
	b := append([]byte(noteMagic), noteVersion)
	b = binary.AppendUvarint(b, uint64(n.floor))
	b = binary.AppendUvarint(b, uint64(n.high))
	b = binary.AppendUvarint(b, uint64(len(n.settled)))
	from := n.floor
	for _, r := range n.settled {
		b = binary.AppendVarint(b, int64(r.first-from))
		b = binary.AppendUvarint(b, uint64(r.last-r.first))
		from = r.last
	}
	b = binary.AppendUvarint(b, uint64(len(n.rejected)))
	for _, r := range n.rejected {
		b = binary.AppendUvarint(b, uint64(r.position))
		b = appendString(b, r.reason)
	}
	b = binary.AppendUvarint(b, uint64(len(n.marks)))
	for _, m := range n.marks {
		b = appendStream(b, m.Stream)
		b = appendString(b, m.Call)
		b = appendString(b, m.Epoch)
		b = binary.AppendUvarint(b, m.Acked)
		b = binary.AppendVarint(b, m.At.UnixNano())
		b = binary.AppendUvarint(b, uint64(m.last))
	}
	b = binary.AppendUvarint(b, uint64(len(n.forgets)))
	for _, f := range n.forgets {
		b = appendStream(b, f.stream)
		b = binary.AppendUvarint(b, uint64(f.position))
	}
	b = binary.AppendUvarint(b, n.letters.last)
	b = binary.AppendUvarint(b, n.letters.dropped)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func appendStream(b []byte, id spool.StreamID) []byte {
	b = appendString(b, id.Org)
	b = appendString(b, id.Call)
	return appendString(b, id.ID)
}

func (c *cursor) stream() spool.StreamID {
	return spool.StreamID{Org: c.string(), Call: c.string(), ID: c.string()}
}

// length reads a count of things of at least a byte each.
func (c *cursor) length() int {
	n := c.uvarint()
	if n > uint64(len(c.rest)) {
		c.fail()
		return 0
	}
	return int(n)
}

func decodeNote(b []byte) (*note, error) {
	if len(b) < len(noteMagic)+5 || string(b[:4]) != noteMagic {
		return nil, errNotANote
	}
	if b[4] > noteVersion {
		return nil, fmt.Errorf("a note of version %d: this program knows up to %d", b[4], noteVersion)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return nil, fmt.Errorf("a note has checksum %08x, want %08x", got, sum)
	}
	c := cursor{rest: body[5:]}
	n := &note{floor: spool.Position(c.uvarint()), high: spool.Position(c.uvarint())}
	from := n.floor
	for range c.length() {
		r := run{first: from + spool.Position(c.varint())}
		r.last = r.first + spool.Position(c.uvarint())
		if r.last < r.first || r.last > n.high {
			c.fail()
		}
		n.settled, from = append(n.settled, r), r.last
	}
	for range c.length() {
		n.rejected = append(n.rejected, rejection{spool.Position(c.uvarint()), c.string()})
	}
	for range c.length() {
		m := mark{StreamMark: spool.StreamMark{Stream: c.stream(), Call: c.string(), Epoch: c.string(), Acked: c.uvarint()}}
		m.At, m.last = time.Unix(0, c.varint()).UTC(), spool.Position(c.uvarint())
		n.marks = append(n.marks, m)
	}
	for range c.length() {
		n.forgets = append(n.forgets, forgotten{c.stream(), spool.Position(c.uvarint())})
	}
	if len(c.rest) > 0 {
		n.letters = letterCount{c.uvarint(), c.uvarint()}
	}
	if c.err != nil {
		return nil, fmt.Errorf("a note: %w", c.err)
	}
	return n, nil
}
