package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"

	"example.com/steno/batcher/spool"
)

const (
	frameMagic   = "STNF"
	frameVersion = 2 // one without flagAlso is of version 1, which older programs read too
	frameHeader  = 32
	recordHeader = 8 // length and checksum

	// Whoever waits joins the next frame up to these limits. A group is never
	// split: one that is larger goes alone.
	maxFrameRecords = 1000
	maxFrameBytes   = 256 << 10
)

// castagnoli is the polynomial that processors compute themselves.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errNotAFrame = errors.New("not a frame")

// header is a frame's first 32 bytes.
type header struct {
	partition uint16
	writer    uint64 // drawn at each opening
	first     spool.Position
	count     uint32
}

// last is the position of the frame's last record.
func (h header) last() spool.Position { return h.first + spool.Position(h.count) - 1 }

// id is the frame's name for JetStream, which drops a second one of the same
// name within its duplicate window.
func (h header) id() string { return fmt.Sprintf("%016x/%d/%d", h.writer, h.partition, h.first) }

// beginFrame makes room for a header, which endFrame fills in.
func beginFrame(b []byte) []byte { return append(b[:0], make([]byte, frameHeader)...) }

func endFrame(b []byte, h header) {
	copy(b, frameMagic)
	b[4], b[5] = versionOf(b[frameHeader:]), 0
	binary.LittleEndian.PutUint16(b[6:], h.partition)
	binary.LittleEndian.PutUint64(b[8:], h.writer)
	binary.LittleEndian.PutUint64(b[16:], uint64(h.first))
	binary.LittleEndian.PutUint32(b[24:], h.count)
	binary.LittleEndian.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
}

// versionOf is the version that a program must know to read encoded records.
func versionOf(b []byte) byte {
	for len(b) > recordHeader {
		if b[recordHeader]&flagAlso != 0 {
			return frameVersion
		}
		b = b[min(len(b), recordHeader+int(binary.LittleEndian.Uint32(b))):]
	}
	return 1
}

// appendToFrame adds one record behind its length and checksum.
func appendToFrame(b []byte, r *spool.Record) []byte {
	at := len(b)
	b = append(b, make([]byte, recordHeader)...)
	b = appendRecord(b, r)
	body := b[at+recordHeader:]
	binary.LittleEndian.PutUint32(b[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(body, castagnoli))
	return b
}

// encodeGroup is a group's records as they stand in a frame. It writes over b,
// where that has room.
func encodeGroup(b []byte, records []*spool.Record) []byte {
	size := 0
	for _, r := range records {
		size += recordHeader + sizeBound(r)
	}
	if cap(b) < size {
		b = make([]byte, 0, size)
	}
	b = b[:0]
	for _, r := range records {
		b = appendToFrame(b, r)
	}
	return b
}

// parseHeader reads a frame's header and returns its records, still encoded.
func parseHeader(b []byte) (header, []byte, error) {
	if len(b) < frameHeader || string(b[:4]) != frameMagic {
		return header{}, nil, errNotAFrame
	}
	if v := b[4]; v > frameVersion {
		return header{}, nil, fmt.Errorf("a frame of version %d: this program knows up to %d", v, frameVersion)
	}
	if got, want := crc32.Checksum(b[:28], castagnoli), binary.LittleEndian.Uint32(b[28:]); got != want {
		return header{}, nil, fmt.Errorf("a frame's header has checksum %08x, want %08x", got, want)
	}
	h := header{
		partition: binary.LittleEndian.Uint16(b[6:]),
		writer:    binary.LittleEndian.Uint64(b[8:]),
		first:     spool.Position(binary.LittleEndian.Uint64(b[16:])),
		count:     binary.LittleEndian.Uint32(b[24:]),
	}
	if h.first == 0 || h.last() < h.first-1 {
		return header{}, nil, fmt.Errorf("a frame with the impossible positions %d+%d", h.first, h.count)
	}
	return h, b[frameHeader:], nil
}

// records yields each record's position with what can be read of it. A record
// whose checksum is wrong comes with an error and does not hide those behind
// it; where a length is wrong, all that are left come with an error.
func records(h header, b []byte) iter.Seq2[spool.Position, viewOrError] {
	return func(yield func(spool.Position, viewOrError) bool) {
		for p := h.first; p <= h.last(); p++ {
			var got viewOrError
			got, b = nextRecord(b)
			if !yield(p, got) {
				return
			}
		}
	}
}

// viewOrError is a record, or why it cannot be read.
type viewOrError struct {
	view
	err error
}

func nextRecord(b []byte) (viewOrError, []byte) {
	if len(b) < recordHeader {
		return viewOrError{err: errShort}, nil
	}
	size, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	b = b[recordHeader:]
	if uint64(size) > uint64(len(b)) {
		return viewOrError{err: errShort}, nil
	}
	body, rest := b[:size], b[size:]
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return viewOrError{err: fmt.Errorf("a record has checksum %08x, want %08x", got, sum)}, rest
	}
	v, err := viewRecord(body)
	return viewOrError{v, err}, rest
}

// partitionOf spreads calls over partitions. It must never change: a call's
// records must stay in one partition, in order.
func partitionOf(org, call string, partitions int) uint16 {
	h := crc32.Checksum([]byte(org), castagnoli)
	h = crc32.Update(h, castagnoli, []byte{0})
	h = crc32.Update(h, castagnoli, []byte(call))
	return uint16(h % uint32(partitions))
}
