package ingest

import "iter"

// index finds numbers by a key that is as good as random: of one call, where in
// the log of sightings its message ids are. An entry is 8 bytes. What two keys
// have in common is for the caller to tell apart; it happens to one in billions.
//
// It is open addressing with linear probing. An entry is a key's mark above a
// number; an empty one is 0.
//
//	I1  len(entries) is 0 or a power of two, and at least an eighth and at most
//	    three quarters of it are used, but for the smallest
//	I2  between an entry's home and the entry nothing is empty
type index struct {
	entries []uint64
	used    int
}

const smallestIndex = 8

// mark is what an entry keeps of a key. It is never 0.
func mark(key uint64) uint64 { return key<<32 | 1<<32 }

// find yields the numbers that were added under a key.
func (x *index) find(key uint64) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if x.used == 0 {
			return
		}
		m := mark(key)
		for i := x.home(m); x.entries[i] != 0; i = x.after(i) {
			if e := x.entries[i]; (e^m)>>32 == 0 && !yield(uint32(e)) {
				return
			}
		}
	}
}

func (x *index) add(key uint64, n uint32) {
	if x.used >= len(x.entries)/4*3 {
		x.resize(max(smallestIndex, 2*len(x.entries)))
	}
	x.put(mark(key) | uint64(n))
}

// remove takes out what was added.
func (x *index) remove(key uint64, n uint32) {
	e := mark(key) | uint64(n)
	i := x.home(e)
	for x.entries[i] != e {
		if x.entries[i] == 0 {
			panic("BUG: a message id is in the log and not in its call's index")
		}
		i = x.after(i)
	}
	x.clear(i)
	switch {
	case x.used == 0:
		x.entries = nil
	case len(x.entries) > smallestIndex && x.used < len(x.entries)/8:
		x.resize(len(x.entries) / 2)
	}
}

// home is where an entry belongs.
func (x *index) home(e uint64) int { return int(e>>33) & (len(x.entries) - 1) }

func (x *index) after(i int) int { return (i + 1) & (len(x.entries) - 1) }

func (x *index) put(e uint64) {
	i := x.home(e)
	for x.entries[i] != 0 {
		i = x.after(i)
	}
	x.entries[i] = e
	x.used++
}

// clear empties the hole and fills it from behind, as far as I2 asks for it.
func (x *index) clear(hole int) {
	distance := func(from, to int) int { return (to - from) & (len(x.entries) - 1) }
	for i := x.after(hole); x.entries[i] != 0; i = x.after(i) {
		if distance(x.home(x.entries[i]), i) >= distance(hole, i) {
			x.entries[hole], hole = x.entries[i], i
		}
	}
	x.entries[hole] = 0
	x.used--
}

func (x *index) resize(n int) {
	before := x.entries
	x.entries, x.used = make([]uint64, n), 0
	for _, e := range before {
		if e != 0 {
			x.put(e)
		}
	}
}
