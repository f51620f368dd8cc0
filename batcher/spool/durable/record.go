package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"example.com/steno/batcher/spool"
)

// What a record's first byte says. A bit that is not here belongs to a newer
// version, which says so in the frame's version.
const (
	flagEnded    = 1 << iota // the mark that a call has ended
	flagUrgent               // waits for no company
	flagSpoken               // a time of speaking follows
	flagReceived             // a time of receipt follows
	flagOwnCall              // the stream's org and call are the record's own, and are not repeated
	flagAlso                 // further ids follow: in a frame of version 2

	knownFlags = flagAlso<<1 - 1
)

var errShort = errors.New("a record ends too early")

// view is a record as it lies in a frame. Its byte slices are the frame's: who
// keeps one copies it.
type view struct {
	flags                 byte
	seq                   uint64
	spoken, received      time.Time
	org, call             []byte
	streamOrg, streamCall []byte
	streamID, epoch       []byte
	messageID, speaker    []byte
	also                  []string // copies
	message               []byte
}

func appendRecord(b []byte, r *spool.Record) []byte {
	own := r.Stream.Org == r.Org && r.Stream.Call == r.Call
	b = append(b, flag(r.Ended, flagEnded)|flag(r.Urgent, flagUrgent)|flag(own, flagOwnCall)|
		flag(!r.Spoken.IsZero(), flagSpoken)|flag(!r.Received.IsZero(), flagReceived)|flag(len(r.Also) > 0, flagAlso))
	b = binary.AppendUvarint(b, r.Seq)
	b = appendTime(b, r.Spoken)
	b = appendTime(b, r.Received)
	b = appendString(b, r.Org)
	b = appendString(b, r.Call)
	if !own {
		b = appendString(b, r.Stream.Org)
		b = appendString(b, r.Stream.Call)
	}
	b = appendString(b, r.Stream.ID)
	b = appendString(b, r.Epoch)
	b = appendString(b, r.MessageID)
	b = appendString(b, r.Speaker)
	if len(r.Also) > 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Also)))
		for _, id := range r.Also {
			b = appendString(b, id)
		}
	}
	return append(b, r.Message...)
}

// sizeBound is at least what appendRecord appends.
func sizeBound(r *spool.Record) int {
	const numbers = 1 + 5*binary.MaxVarintLen64      // the flags, seq, and both times
	const strings, length = 8, binary.MaxVarintLen32 // and the number of Also
	n := numbers + strings*length + len(r.Org) + len(r.Call) + len(r.Stream.Org) + len(r.Stream.Call) + len(r.Stream.ID) +
		len(r.Epoch) + len(r.MessageID) + len(r.Speaker) + len(r.Message) + length
	for _, id := range r.Also {
		n += length + len(id)
	}
	return n
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime appends nothing for a zero time: a flag says so.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// cursor reads fields one after another; after the first one that does not fit
// every further one is empty and err is set.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail() {
	c.rest = nil
	if c.err == nil {
		c.err = errShort
	}
}

func (c *cursor) uvarint() uint64 {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.fail()
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) varint() int64 {
	n, size := binary.Varint(c.rest)
	if size <= 0 {
		c.fail()
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.rest)) {
		c.fail()
		return nil
	}
	s := c.rest[:n:n]
	c.rest = c.rest[n:]
	return s
}

func (c *cursor) string() string { return string(c.bytes()) }

func (c *cursor) time(present bool) time.Time {
	if !present {
		return time.Time{}
	}
	sec, nsec := c.varint(), c.uvarint()
	if nsec >= 1e9 {
		c.fail()
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

// viewRecord reads a record's fields without copying any.
func viewRecord(b []byte) (view, error) {
	if len(b) == 0 {
		return view{}, errShort
	}
	v := view{flags: b[0]}
	if unknown := v.flags &^ knownFlags; unknown != 0 {
		return view{}, fmt.Errorf("a record has the unknown flags %#x", unknown)
	}
	c := cursor{rest: b[1:]}
	v.seq = c.uvarint()
	v.spoken = c.time(v.flags&flagSpoken != 0)
	v.received = c.time(v.flags&flagReceived != 0)
	v.org, v.call = c.bytes(), c.bytes()
	v.streamOrg, v.streamCall = v.org, v.call
	if v.flags&flagOwnCall == 0 {
		v.streamOrg, v.streamCall = c.bytes(), c.bytes()
	}
	v.streamID, v.epoch = c.bytes(), c.bytes()
	v.messageID, v.speaker = c.bytes(), c.bytes()
	if v.flags&flagAlso != 0 {
		for n := c.uvarint(); n > 0 && c.err == nil; n-- {
			v.also = append(v.also, c.string())
		}
	}
	v.message = c.rest
	return v, c.err
}

func (v *view) ended() bool { return v.flags&flagEnded != 0 }

// record copies everything, so that one record that is kept does not keep its
// whole frame.
func (v *view) record(p spool.Position) *spool.Record {
	r := &spool.Record{
		Position: p, Org: string(v.org), Call: string(v.call), Ended: v.ended(),
		Epoch: string(v.epoch), Seq: v.seq, MessageID: string(v.messageID), Speaker: string(v.speaker),
		Also: v.also, Urgent: v.flags&flagUrgent != 0, Spoken: v.spoken, Received: v.received,
	}
	if len(v.message) > 0 {
		r.Message = append([]byte(nil), v.message...)
	}
	r.Stream = spool.StreamID{Org: r.Org, Call: r.Call, ID: string(v.streamID)}
	if v.flags&flagOwnCall == 0 {
		r.Stream.Org, r.Stream.Call = string(v.streamOrg), string(v.streamCall)
	}
	return r
}
