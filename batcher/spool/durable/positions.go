package durable

import (
	"math/bits"

	"example.com/steno/batcher/spool"
)

// chunk is 4,096 positions, a bit each.
const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
)

type chunk struct {
	bits [chunkSize / 64]uint64
	set  int
}

// positions is a set of positions in which, by and by, everything below some
// floor is in. A full chunk costs one word, an empty one too.
//
//	S1  every position below floor is in the set
//	S2  floor itself is not
//	S3  chunks[0] is the one that holds floor
type positions struct {
	floor  spool.Position
	first  spool.Position // number of chunks[0]
	chunks []*chunk       // nil: none of it is in the set
	full   *chunk         // stands for every full chunk
}

// newPositions returns the set of all positions below floor.
func newPositions(floor spool.Position) *positions {
	s := &positions{floor: floor, first: floor >> chunkBits, full: &chunk{set: chunkSize}}
	for p := s.first << chunkBits; p < floor; p++ {
		s.mark(p)
	}
	return s
}

func (s *positions) has(p spool.Position) bool {
	if p < s.floor {
		return true
	}
	i := int(p>>chunkBits - s.first)
	if i >= len(s.chunks) || s.chunks[i] == nil {
		return false
	}
	if s.chunks[i] == s.full {
		return true
	}
	return s.chunks[i].bits[p%chunkSize/64]&(1<<(p%64)) != 0
}

// add puts p into the set and says whether it was new.
func (s *positions) add(p spool.Position) bool {
	if s.has(p) {
		return false
	}
	s.mark(p)
	if p == s.floor {
		s.advance()
	}
	return true
}

// count is how many positions from first to last are in the set.
func (s *positions) count(first, last spool.Position) (n uint64) {
	if first < s.floor {
		n = uint64(min(last+1, s.floor) - first)
		first = s.floor
	}
	for p := first; p <= last; {
		var c *chunk
		if i := int(p>>chunkBits - s.first); i < len(s.chunks) {
			c = s.chunks[i]
		}
		end := min(last+1, (p>>chunkBits+1)<<chunkBits)
		switch c {
		case nil:
		case s.full:
			n += uint64(end - p)
		default:
			n += c.count(p%chunkSize, (end-1)%chunkSize)
		}
		p = end
	}
	return n
}

func (c *chunk) count(first, last spool.Position) (n uint64) {
	for p := first; p <= last; p++ {
		if p%64 == 0 && p+63 <= last {
			n += uint64(bits.OnesCount64(c.bits[p/64]))
			p += 63
			continue
		}
		n += c.bits[p/64] >> (p % 64) & 1
	}
	return n
}

// addRange puts first to last into the set.
func (s *positions) addRange(first, last spool.Position) {
	for p := max(first, s.floor); p <= last; p++ {
		s.add(p)
	}
}

func (s *positions) mark(p spool.Position) {
	i := int(p>>chunkBits - s.first)
	for len(s.chunks) <= i {
		s.chunks = append(s.chunks, nil)
	}
	if s.chunks[i] == nil {
		s.chunks[i] = &chunk{}
	}
	c := s.chunks[i]
	c.bits[p%chunkSize/64] |= 1 << (p % 64)
	if c.set++; c.set == chunkSize {
		s.chunks[i] = s.full
	}
}

// advance moves floor to the first position that is not in the set and drops
// the chunks below.
func (s *positions) advance() {
	for len(s.chunks) > 0 {
		c := s.chunks[0]
		if c == s.full {
			s.chunks[0] = nil
			s.chunks = s.chunks[1:]
			s.first++
			s.floor = s.first << chunkBits
			continue
		}
		s.floor = max(s.floor, s.first<<chunkBits)
		if c == nil {
			return
		}
		s.floor = c.next(s.floor%chunkSize) + s.first<<chunkBits
		return
	}
}

// next returns the first index from p on that is not set. The chunk is not
// full, and everything below p is set, so there is one.
func (c *chunk) next(p spool.Position) spool.Position {
	w := int(p / 64)
	for ; w < len(c.bits); w++ {
		if free := ^c.bits[w]; free != 0 {
			return spool.Position(w*64 + bits.TrailingZeros64(free))
		}
	}
	panic("BUG: a chunk with a free position has none")
}

// runs calls f with each maximal run of positions in the set from floor up to
// last, until f returns false.
func (s *positions) runs(last spool.Position, f func(first, last spool.Position) bool) {
	for p := s.floor; p <= last; p++ {
		if !s.has(p) {
			continue
		}
		first := p
		for p < last && s.has(p+1) {
			p++
		}
		if !f(first, p) {
			return
		}
	}
}
