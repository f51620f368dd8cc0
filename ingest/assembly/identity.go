package assembly

import (
	"crypto/sha256"
	"encoding/binary"

	"example.com/steno/ingest/dialect"
)

// ID names a piece. It depends on what the engine said and on the Source, never
// on when it arrived.
//
//	I1  where the engine has an id of its own: that
//	I2  else where it tells a time: the times, the words, and how often the
//	    engine's clock has started over since the source or the session began
//	I3  else the words, and how often they were said on the channel before,
//	    since the source began. That is the same again only where the engine's
//	    words are sent again from the beginning on
//	I4  in I1 and I2 the channel and the engine's session count too. Where the
//	    session is told at its beginning only, what is sent again from the
//	    middle on is taken for the one that the call had last; where the call
//	    had none, the start counts in I1 as well
//	I5  an id that is Unique needs neither session nor start
type ID [sha256.Size]byte

// Source is where an assembler's words come from.
type Source struct {
	// Call, Dialect and Leg are parts of every identity. Leg tells several
	// connections of one call apart that carry different words.
	Call, Dialect, Leg string
	// Session is the engine's session that a source goes on with which has not
	// seen one begin.
	Session string
	// Nonce is part of identities by I3. It is empty where the source is known
	// to begin at the beginning, else it is of this source alone.
	Nonce string
	// Start is the time zero of the engine's offsets in ms since the epoch; 0:
	// not known.
	Start int64
}

// maxCounted bounds what I3 remembers: distinct words of one source.
const maxCounted = 10_000

// namer makes identities.
type namer struct {
	source  Source
	session string // the engine's, as its Begin named it
	said    map[ID]uint32
	age     uint32 // how often said was full, and began anew
}

func newNamer(s Source) namer { return namer{source: s, session: s.Session, said: map[ID]uint32{}} }

// name names a piece that was said in a run of the engine's clock.
func (n *namer) name(e *dialect.Event, run uint32) ID {
	session := e.Session
	if session == "" {
		session = n.session
	}
	b := make([]byte, 0, 256)
	for _, s := range []string{n.source.Call, n.source.Dialect, n.source.Leg, e.Channel} {
		b = appendSized(b, s)
	}
	switch {
	case e.ID != "" && e.Unique: // I5
		b = appendSized(append(b, 4), e.ID)
	case e.ID != "": // I1
		b = appendSized(append(b, 1), session)
		if b = appendSized(b, e.ID); session == "" { // I4
			b = appendInstant(b, e.Start)
		}
	case e.Start.Known() || e.End.Known(): // I2
		b = appendSized(append(b, 2), session)
		b = binary.BigEndian.AppendUint32(b, run)
		b = appendInstant(appendInstant(b, e.Start), e.End)
		b = appendSized(b, e.Text)
	default: // I3
		b = appendSized(append(b, 3), n.source.Nonce)
		b = appendSized(b, e.Text)
		words := ID(sha256.Sum256(b))
		if len(n.said) >= maxCounted {
			clear(n.said)
			n.age++
		}
		n.said[words]++
		b = binary.BigEndian.AppendUint32(b, n.age)
		b = binary.BigEndian.AppendUint32(b, n.said[words])
	}
	return sha256.Sum256(b)
}

// appendSized keeps ("a","bc") and ("ab","c") apart.
func appendSized(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendInstant(b []byte, i dialect.Instant) []byte {
	kind, ms := byte(0), int64(0)
	if at, ok := i.Offset(); ok {
		kind, ms = 1, at
	} else if at, ok := i.Absolute(); ok {
		kind, ms = 2, at
	}
	return binary.BigEndian.AppendUint64(append(b, kind), uint64(ms))
}
