package durable

import (
	"iter"
	"math"
	"math/bits"
	"time"

	"example.com/steno/batcher/spool"
)

// debt is what the ledger must know of a record that was read.
type debt struct {
	received int64 // in nanoseconds since 1970, or unreceived
	bytes    uint32
	ended    bool
}

const unreceived = math.MinInt64

func debtOf(r *spool.Record) debt {
	d := debt{received: unreceived, bytes: uint32(len(r.Message)), ended: r.Ended}
	if !r.Received.IsZero() {
		d.received = r.Received.UnixNano()
	}
	return d
}

// at is when the record was received; zero where nobody knows.
func (d debt) at() time.Time {
	if d.received == unreceived {
		return time.Time{}
	}
	return time.Unix(0, d.received)
}

// sheetSize is how many positions share a place in the map of debts. What is
// read is read in the order of positions, so a sheet is well filled.
const sheetSize = 16

type sheet struct {
	open  uint16 // a bit for each debt that is there
	debts [sheetSize]debt
}

// debts is a debt for each position that is owed. A map of positions would be
// in its way at a hundred thousand a second: this one is a sixteenth as large,
// and has nothing in it that the collector must look at.
type debts struct {
	sheets map[spool.Position]*sheet // by position / sheetSize; none is empty
	n      int
}

func newDebts() debts { return debts{sheets: map[spool.Position]*sheet{}} }

func (ds *debts) len() int { return ds.n }

func (ds *debts) add(p spool.Position, d debt) {
	s := ds.sheets[p/sheetSize]
	if s == nil {
		s = &sheet{}
		ds.sheets[p/sheetSize] = s
	}
	bit := uint16(1) << (p % sheetSize)
	if s.open&bit == 0 {
		s.open |= bit
		ds.n++
	}
	s.debts[p%sheetSize] = d
}

// find returns the sheet that p's debt is on; nil: it has none.
func (ds *debts) find(p spool.Position) *sheet {
	if s := ds.sheets[p/sheetSize]; s != nil && s.open>>(p%sheetSize)&1 == 1 {
		return s
	}
	return nil
}

func (ds *debts) at(p spool.Position) (d debt, ok bool) {
	s := ds.find(p)
	if s == nil {
		return debt{}, false
	}
	return s.debts[p%sheetSize], true
}

// take removes p's debt and returns it.
func (ds *debts) take(p spool.Position) (d debt, ok bool) {
	s := ds.find(p)
	if s == nil {
		return debt{}, false
	}
	ds.n--
	if s.open &^= 1 << (p % sheetSize); s.open == 0 {
		delete(ds.sheets, p/sheetSize)
	}
	return s.debts[p%sheetSize], true
}

// all yields every debt, in no order.
func (ds *debts) all() iter.Seq[debt] {
	return func(yield func(debt) bool) {
		for _, s := range ds.sheets {
			for open := s.open; open != 0; open &= open - 1 {
				if !yield(s.debts[bits.TrailingZeros16(open)]) {
					return
				}
			}
		}
	}
}
