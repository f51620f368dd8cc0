package batcher

// flight bounds how many requests are in flight, all calls together.
//
//	F1  the bound is from 1 to limit, and begins there
//	F2  when the org asks for less, the bound becomes half of what was in
//	    flight; once for each time that the gate is shut
//	F3  it grows by one when as many requests as it allows have been answered
//	    as they should be: after a cut, one more for each round trip of all
type flight struct {
	limit, bound int
	good         int // answers since the bound last changed
}

func newFlight(limit int) flight { return flight{limit: limit, bound: limit} }

// cut is F2. The refused request counts as one of those in flight.
func (f *flight) cut(inFlight int) {
	f.bound, f.good = max(1, min(f.bound, inFlight)/2), 0
}

// succeed is F3.
func (f *flight) succeed() {
	if f.bound == f.limit {
		return
	}
	if f.good++; f.good >= f.bound {
		f.bound, f.good = f.bound+1, 0
	}
}
