package batcher

import "time"

// take fills a request and occupies the lanes of its calls.
func (p *packer) take(now time.Time, pick func(*Request), proof bool) Request {
	r := Request{Entries: make([]Entry, 0, p.lim.MaxEntries), sent: now, proof: proof}
	pick(&r)
	for i := range r.Entries {
		b := r.Entries[i].from
		end, ended := p.endOf(b)
		ended = ended && now.Sub(end) > flushTime
		p.unqueue(b)
		b.inFlight = true // R3
		for _, u := range r.Entries[i].Utterances {
			u.Attempts++
			if !u.Late && (ended || p.graceOver(now, u.Received)) {
				u.Late = true
				r.late++
			}
		}
	}
	p.inFlight++
	p.window.leave(now, proof)
	p.pace.left(now)
	return r
}

// pickReady takes the entries that come first (R5), up to a full request.
func (p *packer) pickReady(r *Request) {
	if b := p.ready.first(); b.alone() && !p.pace.on { // R6, R12
		r.Single = true
		p.pickFrom(r, &p.ready)
		return
	}
	p.fill(r, &p.ready)
	p.fill(r, &p.stale)
}

// pickStale is pickReady when it is the turn of the old ones.
func (p *packer) pickStale(r *Request) {
	p.fill(r, &p.stale)
	p.fill(r, &p.ready)
}

func (p *packer) fill(r *Request, q *queue) {
	for len(r.Entries) < p.lim.MaxEntries && q.first() != nil {
		p.pickFrom(r, q)
	}
}

func (p *packer) pickFrom(r *Request, q *queue) {
	b := q.first()
	e := b.shift()
	r.Entries = append(r.Entries, e)
	if q == &p.ready {
		p.entries, p.full = p.entries-1, p.full-p.ifFull(&e)
	}
	if len(b.entries) == 0 {
		q.remove(b)
		return
	}
	p.rank(b)
	q.fix(b)
}

// pickSuspect takes a part of one call and nothing else (R8).
func (p *packer) pickSuspect(r *Request) {
	b := p.apart.first()
	p.unqueue(b)
	r.apart = true
	r.Entries = append(r.Entries, b.shiftPortion())
}
