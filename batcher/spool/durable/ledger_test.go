package durable

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

// books plays a ledger against a disk that is a slice of frames.
type books struct {
	t       *rapid.T
	l       *ledger
	frames  [][]*spool.Record // frame n has sequence n+1
	read    map[string]spool.Position
	owed    []*spool.Record
	dead    []spool.Position
	settled int
	marks   int
	spoken  int
}

// TestLedgerKeepsItsRules plays random appends, reads and settlements.
func TestLedgerKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &books{t: t, l: newLedger(1), read: map[string]spool.Position{}}
		b.l.liveLimit = rapid.IntRange(1, 20).Draw(t, "live limit")
		b.recovered(rapid.IntRange(0, 30).Draw(t, "found at the opening"))
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { b.append(rapid.IntRange(1, 6).Draw(t, "records")) },
			"read":   func(t *rapid.T) { b.readSome(rapid.IntRange(1, 8).Draw(t, "buffer")) },
			"twice":  func(t *rapid.T) { b.twice(rapid.IntRange(0, 100).Draw(t, "frame")) },
			"bury":   func(*rapid.T) { b.bury() },
			"settle": func(t *rapid.T) { b.settle(rapid.IntRange(0, 100).Draw(t, "which")) },
			"":       func(*rapid.T) { b.check() },
		})
		for b.readSome(7) > 0 {
		}
		for len(b.owed) > 0 {
			b.settle(0)
		}
		for len(b.dead) > 0 {
			b.bury()
		}
		b.check()
		if b.settled != b.spoken+b.marks || b.l.pending != 0 || b.l.waiting != 0 || b.l.live.len() != 0 {
			t.Fatalf("L1: %d of %d settled, %d pending, %d waiting, %d live", b.settled, b.spoken+b.marks, b.l.pending, b.l.waiting, b.l.live.len())
		}
		if want := b.l.last + 1; b.l.settled.floor != want || b.l.claimed.floor != want {
			t.Fatalf("L6: floors %d and %d, want %d: all is settled", b.l.settled.floor, b.l.claimed.floor, want)
		}
	})
}

func (b *books) frame(n int) []*spool.Record {
	var rs []*spool.Record
	for i := range n {
		r := &spool.Record{
			Position: b.l.last + spool.Position(i) + 1, Call: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(b.t, "call"),
			Ended: rapid.IntRange(0, 9).Draw(b.t, "ended") == 0, Message: []byte("x"), Received: time.Unix(1, 0),
		}
		if r.Ended {
			b.marks++
		} else {
			b.spoken++
		}
		rs = append(rs, r)
	}
	b.frames = append(b.frames, rs)
	return rs
}

// recovered lets the ledger find n records at the opening, one a frame.
func (b *books) recovered(n int) {
	for range n {
		r := b.frame(1)[0]
		if b.l.waiting == 0 {
			b.l.cursor = uint64(len(b.frames))
		}
		b.l.found(b.l.call(r.Org, r.Call), r.Ended, len(r.Message))
		b.l.last, b.l.lastSeq = r.Position, uint64(len(b.frames))
	}
}

func (b *books) append(n int) {
	b.l.commit(uint64(len(b.frames))+1, b.frame(n))
}

// twice stores a frame again: JetStream keeps that from happening for two
// minutes only.
func (b *books) twice(n int) {
	if len(b.frames) > 0 {
		b.frames = append(b.frames, b.frames[n%len(b.frames)])
	}
}

// readSome fetches a page where the ledger wants one, three frames a
// page, and reads.
func (b *books) readSome(n int) int {
	for b.l.wantsPage() {
		if b.l.cursor < 1 || b.l.cursor > uint64(len(b.frames)) {
			b.t.Fatalf("the cursor is at frame %d of %d with %d waiting", b.l.cursor, len(b.frames), b.l.waiting)
		}
		for range 3 { // frames a page
			if b.l.cursor > uint64(len(b.frames)) {
				break
			}
			for _, r := range b.frames[b.l.cursor-1] {
				if b.l.isBacklog(r.Position) {
					b.l.load(r)
				}
			}
			b.l.cursor++
		}
	}
	buf := make([]*spool.Record, n)
	live, page := b.l.live.len(), b.l.page.len()
	got := b.l.read(buf)
	for _, r := range buf[:got] {
		if r.Position <= b.read[r.Call] {
			b.t.Fatalf("L3: call %s reads %d after %d", r.Call, r.Position, b.read[r.Call])
		}
		b.read[r.Call] = r.Position
	}
	if fromLive := live - b.l.live.len(); live > 0 && page > 0 && n > 1 && fromLive < min(live, (n+1)/2) {
		b.t.Fatalf("L4: %d of a buffer of %d from %d live ones, want at least half", fromLive, n, live)
	}
	b.owed = append(b.owed, buf[:got]...)
	return got
}

func (b *books) settle(which int) {
	if len(b.owed) == 0 {
		return
	}
	i := which % len(b.owed)
	r := b.owed[i]
	b.owed = append(b.owed[:i], b.owed[i+1:]...)
	reason := ""
	if which%7 == 1 {
		reason = "paused"
	}
	s := spool.Settlement{Position: r.Position, Rejected: reason}
	if reason != "" && !r.Ended && which%2 == 0 {
		s.Dead = &spool.DeadLetter{Record: *r, Reason: reason}
		b.dead = append(b.dead, r.Position)
	}
	if err := b.l.settle(s); err != nil {
		b.t.Fatal(err)
	}
	if err := b.l.settle(spool.Settlement{Position: r.Position}); err == nil {
		b.t.Fatalf("position %d is settled twice", r.Position)
	}
	b.settled++
}

// bury writes the oldest letter.
func (b *books) bury() {
	if len(b.dead) > 0 {
		b.l.bury(b.dead[0])
		b.dead = b.dead[1:]
	}
}

func (b *books) check() {
	for _, p := range b.dead {
		if b.l.settled.has(p) || !b.l.claimed.has(p) || p < b.l.settled.floor {
			b.t.Fatalf("L1: position %d is settled, or backlog, before its letter is written", p)
		}
	}
	a := b.l.account()
	var rejected uint64
	for _, n := range a.Rejected {
		rejected += n
	}
	if a.Accepted != a.Delivered+rejected+a.Pending || a.Accepted != uint64(b.spoken) {
		b.t.Fatalf("L5: %+v after %d utterances", a, b.spoken)
	}
	if sum := b.l.live.len() + b.l.waiting + len(b.owed) + b.settled; sum != b.spoken+b.marks {
		b.t.Fatalf("L1: %d live + %d backlog + %d owed + %d settled are %d of %d", b.l.live.len(), b.l.waiting, len(b.owed), b.settled, sum, b.spoken+b.marks)
	}
	waiting := 0
	for _, n := range b.l.backlog {
		waiting += n
	}
	if waiting != b.l.waiting || b.l.live.len() > b.l.liveLimit {
		b.t.Fatalf("L6: %d in the backlog by call, %d in all; %d live, want at most %d", waiting, b.l.waiting, b.l.live.len(), b.l.liveLimit)
	}
	for p := spool.Position(1); p <= b.l.last; p++ {
		if b.l.settled.has(p) && !b.l.claimed.has(p) {
			b.t.Fatalf("L1: position %d is settled and backlog", p)
		}
	}
}

// The live queue is bounded in number; what does not fit waits on the disk,
// and so does all of its call that comes after it.
func TestLiveQueueIsBounded(t *testing.T) {
	l := newLedger(1)
	for n := range spool.Position(maxLiveRecords + 10) {
		l.commit(uint64(n)+1, []*spool.Record{{Position: n + 1, Call: fmt.Sprint(n), Message: []byte("x")}})
	}
	if l.live.len() != maxLiveRecords || l.waiting != 10 || l.cursor != maxLiveRecords+1 {
		t.Errorf("%d live, %d on disk from frame %d, want %d, 10 and %d", l.live.len(), l.waiting, l.cursor, maxLiveRecords, maxLiveRecords+1)
	}
	buf := make([]*spool.Record, maxLiveRecords)
	if n := l.read(buf); n != maxLiveRecords {
		t.Errorf("read %d", n)
	}
	l.commit(maxLiveRecords+11, []*spool.Record{
		{Position: maxLiveRecords + 11, Call: fmt.Sprint(maxLiveRecords + 5), Message: []byte("x")},
		{Position: maxLiveRecords + 12, Call: "fresh", Message: []byte("x")},
	})
	if l.live.len() != 1 || l.waiting != 11 {
		t.Errorf("L2: %d live, %d on disk, want the fresh call alone to be live", l.live.len(), l.waiting)
	}
}
