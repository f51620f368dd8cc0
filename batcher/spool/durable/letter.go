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
	letterMagic   = "STNL"
	letterVersion = 1
)

// What a letter's flags say.
const (
	letterAmbiguous = 1 << iota // a request may have been stored all the same
	letterSent                  // a time of sending follows

	knownLetterFlags = letterSent<<1 - 1
)

// encodeLetter renders a letter; its number is the message's sequence.
func encodeLetter(d *spool.DeadLetter) []byte {
	b := append(make([]byte, 0, 128+len(d.Words)+len(d.Record.Message)), letterMagic...)
	b = append(b, letterVersion, flag(d.Ambiguous, letterAmbiguous)|flag(!d.Sent.IsZero(), letterSent))
	b = binary.AppendUvarint(b, uint64(d.Record.Position))
	b = binary.AppendVarint(b, d.Rejected.UnixNano())
	b = appendTime(b, d.Sent)
	b = binary.AppendUvarint(b, uint64(d.Attempts))
	b = appendString(b, d.Reason)
	b = appendString(b, d.Words)
	r := d.Record
	r.Also = nil // nobody sends again what was rejected, and older programs read letters too
	b = appendRecord(b, &r)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeLetter copies everything out of b. Its error is an ErrDamaged.
func decodeLetter(id spool.LetterID, b []byte) (spool.DeadLetter, error) {
	d, err := parseLetter(b)
	d.ID = id
	if err != nil {
		return spool.DeadLetter{ID: id}, fmt.Errorf("%w: %d: %w", spool.ErrDamaged, id, err)
	}
	return d, nil
}

func parseLetter(b []byte) (d spool.DeadLetter, err error) {
	const head = len(letterMagic) + 2
	if len(b) < head+4 || string(b[:4]) != letterMagic {
		return d, errors.New("it is something else")
	}
	if b[4] > letterVersion {
		return d, fmt.Errorf("it has version %d: this program knows up to %d", b[4], letterVersion)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return d, fmt.Errorf("it has checksum %08x, want %08x", got, sum)
	}
	flags := b[5]
	if unknown := flags &^ knownLetterFlags; unknown != 0 {
		return d, fmt.Errorf("it has the unknown flags %#x", unknown)
	}
	c := cursor{rest: body[head:]}
	d.Ambiguous = flags&letterAmbiguous != 0
	position := spool.Position(c.uvarint())
	d.Rejected = time.Unix(0, c.varint()).UTC()
	d.Sent = c.time(flags&letterSent != 0)
	d.Attempts = int(c.uvarint())
	d.Reason, d.Words = c.string(), c.string()
	if c.err != nil {
		return d, c.err
	}
	v, err := viewRecord(c.rest)
	if err != nil {
		return d, err
	}
	d.Record = *v.record(position)
	return d, nil
}
