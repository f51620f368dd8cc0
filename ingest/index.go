package ingest

import "iter"

// index finds numbers by a key that is as good as random: the places of
// sightings. An entry is 8 bytes. What two keys have in common is for the caller
// to tell apart; it happens to one in billions.
//
// It is many small tables, so that growing one of them keeps nobody waiting.
type index [64]table

// table is open addressing with linear probing. An entry is a key's mark above
// a number; an empty one is 0.
//
//	T1  len(entries) is 0 or a power of two, and at least an eighth and at most
//	    three quarters of it are used, but for the smallest
//	T2  between an entry's home and the entry nothing is empty
type table struct {
	entries []uint64
	used    int
}

const smallestTable = 8

// mark is what an entry keeps of a key. It is never 0.
func mark(key uint64) uint64 { return key<<32 | 1<<32 }

func (x *index) table(key uint64) *table { return &x[key>>58] }

// find yields the numbers that were added under a key.
func (x *index) find(key uint64) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		t, m := x.table(key), mark(key)
		if t.used == 0 {
			return
		}
		for i := t.home(m); t.entries[i] != 0; i = t.after(i) {
			if e := t.entries[i]; (e^m)>>32 == 0 && !yield(uint32(e)) {
				return
			}
		}
	}
}

func (x *index) add(key uint64, n uint32) {
	t := x.table(key)
	if t.used >= len(t.entries)/4*3 {
		t.resize(max(smallestTable, 2*len(t.entries)))
	}
	t.put(mark(key) | uint64(n))
}

// remove takes out what was added.
func (x *index) remove(key uint64, n uint32) {
	t := x.table(key)
	e := mark(key) | uint64(n)
	for i := t.home(e); ; i = t.after(i) {
		if t.entries[i] == e {
			t.clear(i)
			break
		}
	}
	switch {
	case t.used == 0:
		t.entries = nil
	case len(t.entries) > smallestTable && t.used < len(t.entries)/8:
		t.resize(len(t.entries) / 2)
	}
}

// home is where an entry belongs.
func (t *table) home(e uint64) int { return int(e>>33) & (len(t.entries) - 1) }

func (t *table) after(i int) int { return (i + 1) & (len(t.entries) - 1) }

func (t *table) put(e uint64) {
	i := t.home(e)
	for t.entries[i] != 0 {
		i = t.after(i)
	}
	t.entries[i] = e
	t.used++
}

// clear empties the hole and fills it from behind, as far as T2 asks for it.
func (t *table) clear(hole int) {
	distance := func(from, to int) int { return (to - from) & (len(t.entries) - 1) }
	for i := t.after(hole); t.entries[i] != 0; i = t.after(i) {
		if distance(t.home(t.entries[i]), i) >= distance(hole, i) {
			t.entries[hole], hole = t.entries[i], i
		}
	}
	t.entries[hole] = 0
	t.used--
}

func (t *table) resize(n int) {
	before := t.entries
	t.entries, t.used = make([]uint64, n), 0
	for _, e := range before {
		if e != 0 {
			t.put(e)
		}
	}
}
