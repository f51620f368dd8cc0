package durable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/steno/batcher/spool"
)

// reading is one pass over a store: first its notes, then its frames.
type reading struct {
	s       *Spool
	now     time.Time
	ledger  *ledger
	segment *held // that is being read
	high    spool.Position
	noted   bool           // there is a note
	floor   spool.Position // everything below it is settled, its frames may be gone
	seen    spool.Position // the highest that a frame had; 0: no frame yet
	names   map[string]string
	frames  uint64
	began   time.Time
	said    time.Time
	recent  []spool.Sighting

	dead    map[spool.Position]utteranceID // of letters that no note calls settled
	retried []retried                      // the last of them
}

// recover reads the store once and opens the books.
func (s *Spool) recover(ctx context.Context) error {
	now := time.Now()
	r := &reading{s: s, now: now, names: map[string]string{}, began: now, said: now}
	if err := r.readNotes(ctx); err != nil {
		return fmt.Errorf("read what was settled: %w", err)
	}
	if err := r.readLetters(ctx); err != nil {
		return fmt.Errorf("read the dead letters: %w", err)
	}
	if err := r.readFrames(ctx); err != nil {
		return fmt.Errorf("read what is waiting: %w", err)
	}
	r.finish()
	return r.finishRetries(ctx)
}

func (r *reading) readNotes(ctx context.Context) error {
	state, err := r.s.store.state(ctx, noteStream)
	if err != nil {
		return err
	}
	var notes []*note
	var faulty error
	unreadable, err := r.s.store.fetchAll(ctx, noteStream, state.FirstSeq, lastOf(state.Msgs, state.LastSeq), func(_ uint64, data []byte) {
		n, err := decodeNote(data)
		if err != nil {
			faulty = errors.Join(faulty, err)
			return
		}
		notes = append(notes, n)
	})
	if err != nil {
		return err
	}
	if unreadable > 0 || faulty != nil {
		r.s.cfg.Log.Error("notes of settlements are damaged: some utterances will be sent again", "missing", unreadable, "error", faulty)
	}
	floor := spool.Position(1)
	for _, n := range notes {
		floor, r.high, r.noted = max(floor, n.floor), max(r.high, n.high), true
		r.s.letterCount.unite(n.letters)
	}
	r.ledger = newLedger(floor)
	for _, n := range notes {
		for _, run := range n.settled {
			r.settled(run.first, run.last)
		}
		r.marks(n)
	}
	for id, position := range r.s.forgets {
		if m := r.s.marks[id]; m != nil && m.last <= position {
			delete(r.s.marks, id)
		}
	}
	r.floor = floor
	return nil
}

// lastOf is zero for a stream without messages, whose sequences say nothing.
func lastOf(messages, last uint64) uint64 {
	if messages == 0 {
		return 0
	}
	return last
}

func (r *reading) settled(first, last spool.Position) {
	r.ledger.settled.addRange(first, last)
	r.ledger.claimed.addRange(first, last)
}

func (r *reading) marks(n *note) {
	for _, m := range n.marks {
		m.saved = true
		if old := r.s.marks[m.Stream]; old == nil || old.last <= m.last {
			r.s.marks[m.Stream] = &m
		}
	}
	for _, f := range n.forgets {
		r.s.forgets[f.stream] = max(r.s.forgets[f.stream], f.position)
	}
}

func (r *reading) readFrames(ctx context.Context) error {
	for _, r.segment = range r.s.segments {
		if err := r.readSegment(ctx); err != nil {
			return err
		}
		r.ledger.spans.cut()
	}
	r.s.stats.Segments = uint64(len(r.s.segments))
	return nil
}

func (r *reading) readSegment(ctx context.Context) error {
	stream := r.segment.stream()
	state, err := r.s.store.state(ctx, stream)
	if err != nil {
		return err
	}
	last := lastOf(state.Msgs, state.LastSeq)
	unreadable, err := r.s.store.fetchAll(ctx, stream, state.FirstSeq, last, r.frame)
	if err != nil {
		return err
	}
	r.ledger.lastSeq = max(state.LastSeq, r.segment.begin-1)
	r.s.stats.Bytes += state.Bytes
	r.s.stats.Frames += state.Msgs
	r.s.holes += state.NumDeleted
	if unreadable > 0 || state.NumDeleted > 0 { // the positions say whether that is a loss
		r.s.cfg.Log.Warn("JetStream does not have every frame", "segment", stream, "unreadable", unreadable, "deleted", state.NumDeleted)
	}
	return nil
}

// frame takes in one frame. A gap before it is an alarm unless all that is
// missing is settled, and what is behind it is delivered all the same. A frame that was stored twice counts once. Frames
// that are settled tell of streams and message ids.
func (r *reading) frame(seq uint64, data []byte) {
	h, body, err := parseHeader(data)
	if err != nil {
		r.s.harm(Damage{What: err.Error(), Seq: seq})
		return
	}
	if h.last() <= r.seen {
		return
	}
	if first := max(r.seen+1, r.floor); r.seen == 0 && !r.noted {
		r.settled(1, h.first-1)
	} else if h.first > first {
		r.lost(first, h.first-1, seq, "frames are missing")
	}
	at := stored{seq: seq, first: h.first, last: h.last(), bytes: len(data)}
	for p, v := range records(h, body) {
		if p <= r.seen {
			continue
		}
		if v.err != nil {
			r.lost(p, p, seq, v.err.Error())
			continue
		}
		at.present++
		r.record(seq, p, &v.view, &at)
	}
	if at.newest.IsZero() || at.newest.After(r.now) {
		at.newest = r.now
	}
	r.seen = h.last()
	r.ledger.last = max(r.ledger.last, r.seen)
	r.ledger.spans.add(at)
	r.segment.add(at)
	r.frames++
	r.progress()
}

// lost gives up what of first to last is not settled.
func (r *reading) lost(first, last spool.Position, seq uint64, what string) {
	for _, gap := range unsettled(r.ledger.settled, first, last) {
		r.settled(gap.first, gap.last)
		r.s.harm(Damage{First: gap.first, Last: gap.last, Seq: seq, Lost: uint64(gap.last - gap.first + 1), What: what})
	}
}

func (r *reading) record(seq uint64, p spool.Position, v *view, at *stored) {
	org, call := r.name(v.org), r.name(v.call)
	if !v.ended() {
		at.oldest, at.newest = earlier(at.oldest, v.received), later(at.newest, v.received)
		r.mark(p, v, call)
		if len(v.messageID) > 0 && r.now.Sub(v.received) < r.s.cfg.Keep {
			for _, id := range append(v.also, string(v.messageID)) {
				r.recent = append(r.recent, spool.Sighting{Org: org, Call: call, MessageID: id, At: v.received})
			}
		}
	}
	r.retry(v)
	if r.isDead(p, v) {
		r.settled(p, p)
	}
	if r.ledger.settled.has(p) {
		return
	}
	if r.ledger.waiting == 0 {
		r.ledger.cursor = seq
	}
	r.ledger.found(r.ledger.call(org, call), v.ended(), len(v.message))
}

// name keeps one copy of a name that comes again and again.
func (r *reading) name(b []byte) string {
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	s := string(b)
	r.names[s] = s
	return s
}

func (r *reading) mark(p spool.Position, v *view, call string) {
	if len(v.streamID) == 0 {
		return
	}
	id := spool.StreamID{Org: r.name(v.streamOrg), Call: r.name(v.streamCall), ID: r.name(v.streamID)}
	if position, ok := r.s.forgets[id]; ok && p <= position {
		return
	}
	if m := r.s.marks[id]; m != nil && m.last > p {
		return
	}
	r.s.note(&spool.Record{
		Position: p, Call: call, Stream: id, Epoch: r.name(v.epoch), Seq: v.seq, Received: v.received,
	})
}

// progress says every second how far the reading is.
func (r *reading) progress() {
	now := time.Now()
	if now.Sub(r.said) < time.Second {
		return
	}
	r.said = now
	r.s.cfg.Log.Info("the spool is being read", "frames", r.frames, "pending", r.ledger.pending,
		"utterances_per_second", int(float64(r.ledger.pending)/now.Sub(r.began).Seconds()))
}

// finish looks for what is missing at the end, and opens the books.
func (r *reading) finish() {
	l, s := r.ledger, r.s
	next := max(r.seen+1, r.floor)
	if r.high >= next {
		r.lost(next, r.high, 0, "acknowledged frames are missing at the end")
	}
	l.last = max(l.last, r.high)
	s.ledger = l
	s.stats.Recovered = l.pending
	s.recovery.Recent = r.recent
	for _, m := range s.marks {
		s.recovery.Streams = append(s.recovery.Streams, m.StreamMark)
	}
	if r.frames > 0 || l.pending > 0 {
		s.cfg.Log.Info("the spool is open", "frames", r.frames, "pending", l.pending, "streams", len(s.marks),
			"recent", len(r.recent), "took", time.Since(r.began))
	}
}
