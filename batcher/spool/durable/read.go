package durable

import (
	"context"
	"errors"
	"time"

	"example.com/steno/batcher/spool"
)

const (
	pageBytes  = 1 << 20
	pageFrames = 1024
	fetchPause = time.Second // after a fetch that did not work
)

// Read returns fresh speech from memory and the backlog from disk. It fetches
// a page of the backlog where it needs one.
func (s *Spool) Read(ctx context.Context, buf []*spool.Record) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	var again <-chan time.Time
	for {
		if s.wantsPage() && again == nil {
			if err := s.fetchPage(); err != nil {
				timer := time.NewTimer(fetchPause)
				defer timer.Stop()
				again = timer.C
			}
		}
		n, err := s.take(buf)
		switch {
		case n > 0 || err != nil:
			return n, err
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case s.wantsPage() && again == nil:
			continue
		}
		select {
		case <-s.readable:
		case <-again:
			again = nil
		case <-ctx.Done():
		case <-s.life.Done():
		}
	}
}

func (s *Spool) take(buf []*spool.Record) (n int, err error) {
	fenced := s.ours()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return 0, spool.ErrClosed
	case fenced != nil:
		return 0, fenced
	}
	if len(s.ledger.dead) >= maxUnwritten {
		return 0, nil
	}
	n = s.ledger.read(buf)
	s.took(n)
	return n, nil
}

func (s *Spool) wantsPage() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.ledger.wantsPage()
}

// fetchPage reads on in the backlog until there is something in the page. A
// done ctx does not stop it, closing does: what is there is returned first.
func (s *Spool) fetchPage() error {
	for {
		from, ok := s.nextPage()
		if !ok {
			return nil
		}
		if err := s.fetchFrom(from); err != nil {
			if s.life.Err() == nil {
				s.cfg.Log.Warn("the spool's backlog cannot be read for now", "error", err)
			}
			return err
		}
	}
}

// fetchFrom reads one page, or finds that there is none.
func (s *Spool) fetchFrom(from pageFrom) error {
	var got []fetched
	next, err := s.store.fetch(s.life, from.stream, from.page, func(seq uint64, data []byte) {
		if seq <= from.known { // a frame that is stored but not acknowledged yet is for later
			got = append(got, fetched{seq, data})
		}
	})
	switch {
	case errors.Is(err, errNothing):
		s.skip(from)
	case err != nil && s.moved(from): // the segment was packed, and is gone
	case err != nil:
		return err
	default:
		s.load(got, from, min(next, from.known+1))
	}
	return nil
}

// moved says whether a segment was packed since from was asked for.
func (s *Spool) moved(from pageFrom) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moves != from.moves
}

// pageFrom is what to fetch next, and up to which frame everything is known.
type pageFrom struct {
	page
	stream string
	known  uint64
	moves  int // as they were: another count later means that sequences have changed
}

// nextPage says what to fetch. Where the books expect something on disk behind
// the last frame there is, it is lost: that is named and counted, and the
// account stays true.
func (s *Spool) nextPage() (from pageFrom, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.ledger.wantsPage() {
		return pageFrom{}, false
	}
	if s.ledger.cursor > s.ledger.lastSeq {
		first := s.ledger.claimed.floor
		n := s.ledger.lose(reasonLost)
		s.harm(Damage{First: first, Last: s.ledger.last, What: "acknowledged utterances are not on the disk any more", Lost: n})
		wake(s.settledC)
		return pageFrom{}, false
	}
	return pageFrom{
		page:   page{Seq: max(s.ledger.cursor, 1), Batch: pageFrames, MaxBytes: pageBytes},
		stream: s.segments.at(s.ledger.cursor).stream(), known: s.ledger.lastSeq, moves: s.moves,
	}, true
}

// skip goes on behind the end of a segment, or steps over a frame that cannot
// be read.
func (s *Spool) skip(from pageFrom) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next, ok := s.segments.behind(from.Seq); ok {
		s.goOn(from, next)
		return
	}
	s.harm(Damage{What: "a frame is missing or its checksum is wrong", Seq: from.Seq})
	s.ledger.cursor = from.Seq + 1
}

// goOn moves the cursor, unless a segment was packed since from was asked for:
// then it is read from its beginning, and what was read is passed over. The
// caller holds mu.
func (s *Spool) goOn(from pageFrom, next uint64) {
	if s.moves != from.moves {
		next = s.segments.at(from.Seq).begin
	}
	s.ledger.cursor = next
}

type fetched struct {
	seq  uint64
	data []byte
}

// load puts what of the frames is backlog into the page. It decodes only what
// it keeps, and holds nobody up while it does.
func (s *Spool) load(got []fetched, from pageFrom, next uint64) {
	for _, f := range got {
		rs, harm := s.unread(f)
		s.mu.Lock()
		for _, r := range rs {
			s.ledger.load(r)
		}
		for _, d := range harm {
			s.harm(d)
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goOn(from, next)
}

// unread decodes a frame's backlog. Only the reader takes records out of the
// backlog, and it is the reader who asks: what is backlog now stays it.
func (s *Spool) unread(f fetched) (rs []*spool.Record, harm []Damage) {
	h, body, err := parseHeader(f.data)
	if err != nil {
		return nil, []Damage{{What: err.Error(), Seq: f.seq}}
	}
	wanted := make([]bool, h.count)
	s.mu.Lock()
	for i := range wanted {
		wanted[i] = s.ledger.isBacklog(h.first + spool.Position(i))
	}
	s.mu.Unlock()
	for p, v := range records(h, body) {
		switch {
		case !wanted[p-h.first]:
		case v.err != nil:
			harm = append(harm, Damage{First: p, Last: p, What: v.err.Error(), Seq: f.seq})
		default:
			rs = append(rs, v.record(p))
		}
	}
	return rs, harm
}

// reasonLost is the reason for what the disk has lost.
const reasonLost = "lost"
