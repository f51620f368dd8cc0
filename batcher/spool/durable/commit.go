package durable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/steno/batcher/spool"
)

// group is one Append that waits. Its records are the caller's until done.
type group struct {
	records []*spool.Record
	encoded []byte // every record behind its length and checksum
	started bool   // guarded by the spool's mu: part of the frame under way
	done    chan error
}

var errInspected = errors.New("the spool is open for inspection only")

// maxSpareGroup is the number of bytes above which a group's memory is not
// worth keeping.
const maxSpareGroup = maxFrameBytes

// group is one of these records. Its memory is a spare one's: what groups are
// encoded into would be most of what a spool leaves to the collector.
func (s *Spool) group(records []*spool.Record) *group {
	g, ok := s.groups.Get().(*group)
	if !ok {
		g = &group{done: make(chan error, 1)}
	}
	g.records, g.encoded = records, encodeGroup(g.encoded, records)
	return g
}

// putGroup takes a group back that was answered, or withdrawn.
func (s *Spool) putGroup(g *group) {
	if cap(g.encoded) <= maxSpareGroup {
		g.records, g.started = nil, false
		s.groups.Put(g)
	}
}

// Append waits until the frame that the group goes into is safe.
func (s *Spool) Append(ctx context.Context, records []*spool.Record) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(records) == 0 {
		return nil
	}
	if s.cfg.Inspect {
		return errInspected
	}
	g := s.group(records)
	defer s.putGroup(g)
	if limit := s.store.maxMessage(); frameHeader+len(g.encoded) > limit {
		return fmt.Errorf("append a group of %d bytes: at most %d fit into one frame", len(g.encoded), limit-frameHeader)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return spool.ErrClosed
	}
	s.waiting = append(s.waiting, g)
	s.urgent = s.urgent || anyUrgent(records)
	enough := s.urgent || len(s.waiting) >= s.wanted
	s.mu.Unlock()
	if enough {
		wake(s.appended)
	}
	select {
	case err := <-g.done:
		return err
	case <-ctx.Done():
	}
	if s.withdraw(g) {
		return context.Cause(ctx)
	}
	return <-g.done
}

// withdraw takes a group back whose frame was not begun.
func (s *Spool) withdraw(g *group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.started {
		return false
	}
	for i, w := range s.waiting {
		if w == g {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// frame is a frame under way.
type frame struct {
	header
	groups  []*group
	records []*spool.Record
	data    []byte
}

// commitLoop makes one frame after the other safe, and never two at once: while
// one is written the next one fills itself.
func (s *Spool) commitLoop(ctx context.Context) {
	var f frame
	var p pacer
	for ctx.Err() == nil {
		s.mendNotes(ctx)
		s.rollIfDue(ctx)
		s.yield(ctx)
		s.gather(ctx, &p)
		if !s.next(&f) {
			select {
			case <-s.appended:
			case <-ctx.Done():
			}
			continue
		}
		began := time.Now()
		p.begin(began, len(f.groups))
		seq, err := s.persist(ctx, &f)
		if err == nil {
			s.meter.frame(&f, time.Since(began))
			s.commit(seq, &f)
		}
		for _, g := range f.groups {
			g.done <- err
		}
	}
	s.refuse()
}

// refuse answers those who still wait at the end.
func (s *Spool) refuse() {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, g := range waiting {
		g.done <- spool.ErrClosed
	}
}

// next fills f with those who wait, up to the limits.
func (s *Spool) next(f *frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = 0
	clear(f.records) // what the ledger keeps on disk only must not be kept here
	f.groups, f.records = f.groups[:0], f.records[:0]
	f.data = beginFrame(f.data)
	position := s.ledger.last
	n := 0
	for ; n < len(s.waiting); n++ {
		g := s.waiting[n]
		if n > 0 && (len(f.records)+len(g.records) > maxFrameRecords || len(f.data)+len(g.encoded) > maxFrameBytes) {
			break
		}
		g.started = true
		f.groups = append(f.groups, g)
		f.data = append(f.data, g.encoded...)
		for _, r := range g.records {
			position++
			r.Position = position
		}
		f.records = append(f.records, g.records...)
	}
	if n == 0 {
		return false
	}
	s.taken = false
	s.urgent = s.urgent && n < len(s.waiting) // it may be among those left
	s.waiting = s.waiting[:copy(s.waiting, s.waiting[n:])]
	clear(s.waiting[len(s.waiting):min(cap(s.waiting), len(s.waiting)+n)])
	f.header = header{
		partition: partitionOf(f.records[0].Org, f.records[0].Call, partitions), writer: s.writer,
		first: f.records[0].Position, count: uint32(len(f.records)),
	}
	endFrame(f.data, f.header)
	return true
}

// partitions is how many committers there are. All calls of a frame are of
// one partition.
const partitions = 1

// persist publishes the frame under one id, again and again, until it is safe
// or the spool is closed.
func (s *Spool) persist(ctx context.Context, f *frame) (seq uint64, err error) {
	if err := s.waitWhileTooOld(ctx); err != nil {
		return 0, err
	}
	for attempt := 1; ; attempt++ {
		seq, err = s.try(ctx, f)
		if err == nil {
			s.setTrouble(nil)
			return seq, nil
		}
		if ctx.Err() != nil {
			return 0, spool.ErrClosed
		}
		if errors.Is(err, ErrHeld) {
			return 0, err
		}
		if isFull(err) {
			s.setTrouble(errFull)
			wake(s.full)
			s.rollIfDue(ctx) // what is settled behind a call that waits may be all there is to give back
			s.pause(ctx, time.Second)
			continue
		}
		s.setTrouble(fmt.Errorf("the spool cannot write: %w", err))
		s.mend(ctx, attempt, len(f.data))
		s.pause(ctx, min(time.Duration(attempt)*100*time.Millisecond, 2*time.Second))
	}
}

// try publishes the frame once, to a segment whose files can be trusted.
func (s *Spool) try(ctx context.Context, f *frame) (seq uint64, err error) {
	if s.tooFull(len(f.data)) {
		return 0, errFull
	}
	if s.in == nil {
		return s.publishFenced(ctx, f)
	}
	if err := s.trust(ctx); err != nil {
		return 0, err
	}
	return s.store.publish(ctx, s.subject(f.partition), f.id(), f.data)
}

// waitWhileTooOld holds a frame back while what waits is older than it may be.
func (s *Spool) waitWhileTooOld(ctx context.Context) error {
	for {
		s.mu.Lock()
		err := s.tooOld()
		s.mu.Unlock()
		if err == nil {
			return nil
		}
		s.setTrouble(err)
		s.pause(ctx, time.Second)
		if ctx.Err() != nil {
			return spool.ErrClosed
		}
	}
}

// rest returns after d, or when ctx is done.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pause ends early when there is room.
func (s *Spool) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.room:
	case <-ctx.Done():
	}
}

// setTrouble logs each change once.
func (s *Spool) setTrouble(err error) {
	s.mu.Lock()
	before := s.trouble
	s.trouble = err
	s.mu.Unlock()
	switch {
	case before == nil && err != nil:
		s.cfg.Log.Error("the spool acknowledges nothing", "error", err)
	case before != nil && err == nil:
		s.cfg.Log.Info("the spool acknowledges again")
	case err != nil && errors.Is(err, errFull) != errors.Is(before, errFull):
		s.cfg.Log.Error("the spool still acknowledges nothing", "error", err)
	}
}

// commit enters a frame that is safe into the books.
func (s *Spool) commit(seq uint64, f *frame) {
	now := time.Now()
	s.mu.Lock()
	s.ledger.commit(seq, f.records)
	at := stored{seq: seq, first: f.first, last: f.last(), bytes: len(f.data), present: uint64(f.count)}
	for _, r := range f.records {
		if !r.Ended {
			at.oldest, at.newest = earlier(at.oldest, r.Received), later(at.newest, r.Received)
		}
		s.note(r)
	}
	if at.newest.IsZero() || at.newest.After(now) { // a clock that was wrong must not hold text for ever
		at.newest = now
	}
	s.ledger.spans.add(at)
	s.segments.current().add(at)
	s.stats.Frames++
	s.stats.Bytes += uint64(len(f.data))
	s.mu.Unlock()
	wake(s.readable)
	wake(s.commitC)
}

// note moves the mark of a record's stream. The caller holds mu.
func (s *Spool) note(r *spool.Record) {
	if r.Ended || r.Stream.ID == "" {
		return
	}
	m := s.marks[r.Stream]
	if m == nil || m.Epoch != r.Epoch {
		m = &mark{StreamMark: spool.StreamMark{Stream: r.Stream, Epoch: r.Epoch}}
		s.marks[r.Stream] = m
	}
	m.Call, m.Acked, m.At = r.Call, max(m.Acked, r.Seq), r.Received
	m.last, m.saved = r.Position, false
}
