package durable

import (
	"fmt"
	"hash/maphash"
	"maps"
	"time"

	"example.com/steno/batcher/spool"
)

const (
	maxLiveRecords = 20_000
	maxLiveBytes   = 64 << 20
	recordOverhead = 400 // what a record costs in memory beside its message, about
)

// ledger keeps the books of one partition: which record is where, and what is
// read next. It is plain data: no lock, no clock, no I/O.
//
//	L1  every position up to last is in exactly one state: backlog (on disk,
//	    unread), live (in memory, unread), owed (read, not settled), dead
//	    (rejected, its letter not on disk), settled
//	L2  a record becomes live only if nothing of its call is backlog and the
//	    live queue has room; else it becomes backlog
//	L3  a record leaves the backlog only when nothing of its call is live: with
//	    L2, a call's records are read in the order of their positions
//	L4  with both live and backlog, a Read gives at least half to the live,
//	    and what is left of the buffer to the backlog
//	L5  accepted = delivered + rejected + pending
//	L6  memory: the live queue and one page, both bounded; what the reader
//	    owes; the dead; two bits a position above the floor; a count for each call
//	    with a backlog
type ledger struct {
	last    spool.Position // the highest that is safe
	lastSeq uint64         // of the frame that holds it
	settled *positions
	claimed *positions // settled, owed or live: everything but the backlog

	live      queue
	liveLimit int // records; maxLiveRecords
	liveBytes int
	liveCalls map[uint64]int

	backlog map[uint64]int // unread records on disk, by call
	waiting int            // their sum
	page    queue          // the backlog's head, read from disk
	loaded  spool.Position // the highest that was ever in the page
	cursor  uint64         // the frame in the stream to continue with behind page; means nothing while waiting is 0
	turn    bool           // a reader that takes one at a time: the backlog's turn

	owed debts
	dead map[spool.Position]*spool.DeadLetter

	accepted, delivered, pending, bytes uint64
	rejected                            map[string]uint64
	unsaved                             []spool.Settlement // settled here, not yet noted on disk

	spans spans
	seed  maphash.Seed
}

// newLedger returns the books of a spool whose first position will be next.
func newLedger(next spool.Position) *ledger {
	return &ledger{
		last: next - 1, settled: newPositions(next), claimed: newPositions(next),
		liveLimit: maxLiveRecords, liveCalls: map[uint64]int{}, backlog: map[uint64]int{}, owed: newDebts(),
		dead:     map[spool.Position]*spool.DeadLetter{},
		rejected: map[string]uint64{}, seed: maphash.MakeSeed(),
	}
}

// call is a call's hash. Two calls of one hash only wait for one another (L2).
func (l *ledger) call(org, call string) uint64 {
	return maphash.Comparable(l.seed, [2]string{org, call})
}

// found counts a record that was on disk, unsettled, at the opening.
func (l *ledger) found(call uint64, ended bool, bytes int) {
	l.backlog[call]++
	l.waiting++
	if !ended {
		l.accepted++
		l.pending++
		l.bytes += uint64(bytes)
	}
}

// commit takes in a frame that has become safe. The ledger keeps the records.
func (l *ledger) commit(seq uint64, rs []*spool.Record) {
	l.lastSeq = seq
	for _, r := range rs {
		l.last = r.Position
		if !r.Ended {
			l.accepted++
			l.pending++
			l.bytes += uint64(len(r.Message))
		}
		call := l.call(r.Org, r.Call)
		size := len(r.Message) + recordOverhead
		if l.backlog[call] > 0 || l.live.len() >= l.liveLimit || l.liveBytes+size > maxLiveBytes { // L2
			if l.waiting == 0 {
				l.cursor = seq
			}
			l.backlog[call]++
			l.waiting++
			continue
		}
		l.claimed.add(r.Position)
		l.live.push(r)
		l.liveBytes += size
		l.liveCalls[call]++
	}
}

// crowded says that half of the room for live records is taken.
func (l *ledger) crowded() bool {
	return l.live.len() >= (l.liveLimit+1)/2 || l.liveBytes >= maxLiveBytes/2
}

// wantsPage says that the backlog's next records must be fetched, from cursor.
func (l *ledger) wantsPage() bool { return l.waiting > 0 && l.page.len() == 0 }

// isBacklog says whether a record that was met on disk belongs to the page.
// A frame that was stored twice, which JetStream prevents for a while only,
// does not belong there again.
func (l *ledger) isBacklog(p spool.Position) bool {
	return p > l.loaded && p <= l.last && !l.claimed.has(p)
}

// load adds a record to the page.
func (l *ledger) load(r *spool.Record) {
	l.page.push(r)
	l.loaded = r.Position
}

// read puts what is to be read next into buf (L4).
func (l *ledger) read(buf []*spool.Record) int {
	n, share := 0, len(buf)
	if l.page.len() > 0 {
		share = (len(buf) + 1) / 2
		if l.turn && len(buf) == 1 {
			share = 0
		}
	}
	n += l.readLive(buf[:share])
	fromLive := n
	n += l.readPage(buf[n:])
	l.turn = n == fromLive
	return n + l.readLive(buf[n:])
}

func (l *ledger) readLive(buf []*spool.Record) int {
	n := 0
	for ; n < len(buf) && l.live.len() > 0; n++ {
		r := l.live.pop()
		l.liveBytes -= len(r.Message) + recordOverhead
		forget(l.liveCalls, l.call(r.Org, r.Call))
		l.owe(r)
		buf[n] = r
	}
	return n
}

func (l *ledger) readPage(buf []*spool.Record) int {
	n := 0
	for ; n < len(buf) && l.page.len() > 0; n++ {
		call := l.call(l.page.head().Org, l.page.head().Call)
		if l.liveCalls[call] > 0 { // L3
			break
		}
		r := l.page.pop()
		forget(l.backlog, call)
		l.waiting--
		l.claimed.add(r.Position)
		l.owe(r)
		buf[n] = r
	}
	return n
}

func (l *ledger) owe(r *spool.Record) { l.owed.add(r.Position, debtOf(r)) }

// forget counts one down and keeps no zero.
func forget(counts map[uint64]int, key uint64) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// settle ends a record that was read.
func (l *ledger) settle(s spool.Settlement) error {
	d, ok := l.owed.take(s.Position)
	if !ok {
		return fmt.Errorf("settle position %d: not among the %d read and unsettled", s.Position, l.owed.len())
	}
	if s.Dead != nil {
		dead := *s.Dead
		dead.Record.Position = s.Position
		l.dead[s.Position] = &dead
	} else {
		l.settled.add(s.Position)
		l.unsaved = append(l.unsaved, s)
	}
	if d.ended {
		return nil
	}
	if s.Rejected == "" {
		l.delivered++
	} else {
		l.rejected[s.Rejected]++
	}
	l.bytes -= uint64(d.bytes)
	l.pending--
	return nil
}

// bury settles a rejected record whose letter is on disk.
func (l *ledger) bury(p spool.Position) {
	d := l.dead[p]
	delete(l.dead, p)
	l.settled.add(p)
	l.unsaved = append(l.unsaved, spool.Settlement{Position: p, Rejected: d.Reason})
}

// lose gives up what the books say is on disk and the disk does not have, so
// that the account stays true. It returns how many utterances that were.
func (l *ledger) lose(reason string) uint64 {
	for p := l.claimed.floor; p <= l.last; p++ {
		if l.claimed.add(p) {
			l.settled.add(p)
			l.unsaved = append(l.unsaved, spool.Settlement{Position: p, Rejected: reason})
		}
	}
	pending, bytes := uint64(0), uint64(0)
	for d := range l.owed.all() {
		if !d.ended {
			pending, bytes = pending+1, bytes+uint64(d.bytes)
		}
	}
	for r := range l.live.all() {
		if !r.Ended {
			pending, bytes = pending+1, bytes+uint64(len(r.Message))
		}
	}
	lost := l.pending - pending
	l.pending, l.bytes = pending, bytes
	l.rejected[reason] += lost
	clear(l.backlog)
	l.waiting, l.page = 0, queue{}
	return lost
}

func (l *ledger) account() spool.Account {
	return spool.Account{
		Accepted: l.accepted, Delivered: l.delivered, Rejected: maps.Clone(l.rejected),
		Pending: l.pending, Oldest: l.oldest(), Bytes: l.bytes,
	}
}

// oldest is exact for what is in memory. For the backlog's head that is not,
// it is when the oldest of its span was received, at most a second or a
// thousand utterances off.
func (l *ledger) oldest() time.Time {
	if l.pending == 0 {
		return time.Time{}
	}
	p := l.settled.floor
	for ; p <= l.last; p++ {
		if d, ok := l.owed.at(p); ok && !d.ended {
			return d.at()
		} else if !ok && !l.settled.has(p) && l.dead[p] == nil {
			break
		}
	}
	if l.claimed.has(p) {
		for r := range l.live.all() {
			if !r.Ended {
				return r.Received
			}
		}
	}
	if l.page.len() > 0 && l.page.head().Position <= p && !l.page.head().Ended {
		return l.page.head().Received
	}
	if at := l.spans.at(p); at != nil {
		return at.oldest
	}
	return time.Time{}
}
