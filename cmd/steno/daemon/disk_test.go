package daemon

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/steno/batcher/spool"
)

// disk is what outlives a daemon in a bubble: what was appended and not
// settled, and what ingest must know of the streams. The records are its own.
type disk struct {
	mu      sync.Mutex
	waiting []*spool.Record // in order
	streams map[spool.StreamID]spool.StreamMark
	recent  []spool.Sighting
}

func newDisk() *disk { return &disk{streams: map[spool.StreamID]spool.StreamMark{}} }

// survivor is a spool in memory that writes through to a disk, until it is
// killed.
type survivor struct {
	*spool.Memory
	disk      *disk
	recovered spool.Recovery

	mu     sync.Mutex
	killed bool
	order  int
}

// open returns a spool that goes on where the last one was killed.
func (d *disk) open() *survivor {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &survivor{Memory: spool.NewMemory(), disk: d}
	s.recovered = spool.Recovery{Streams: slices.Collect(maps.Values(d.streams)), Recent: slices.Clone(d.recent)}
	if len(d.waiting) > 0 {
		var group []*spool.Record
		for i, r := range d.waiting {
			group = append(group, new(*r))
			r.Position = spool.Position(i + 1)
		}
		if err := s.Memory.Append(context.Background(), group); err != nil {
			panic(err)
		}
	}
	s.order = len(d.waiting)
	return s
}

// kill makes the spool fail from now on: what the disk has is what is left.
func (s *survivor) kill() {
	s.mu.Lock()
	s.killed = true
	s.mu.Unlock()
	s.Memory.Close()
}

func (s *survivor) Append(ctx context.Context, group []*spool.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return spool.ErrClosed
	}
	if err := s.Memory.Append(ctx, group); err != nil {
		return err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	for _, r := range group {
		s.order++
		kept := *r
		kept.Position = spool.Position(s.order)
		s.disk.waiting = append(s.disk.waiting, &kept)
		s.disk.note(r)
	}
	return nil
}

// note is what a durable spool's frames tell of streams and message ids.
func (d *disk) note(r *spool.Record) {
	if r.Ended {
		return
	}
	for _, id := range append(r.Also, r.MessageID) {
		d.recent = append(d.recent, spool.Sighting{Org: r.Org, Call: r.Call, MessageID: id, At: r.Received})
	}
	if r.Stream.ID == "" {
		return
	}
	m := d.streams[r.Stream]
	if m.Epoch != r.Epoch {
		m = spool.StreamMark{Stream: r.Stream, Epoch: r.Epoch}
	}
	m.Call, m.Acked, m.At = r.Call, max(m.Acked, r.Seq), r.Received
	d.streams[r.Stream] = m
}

func (s *survivor) Settle(settled ...spool.Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return spool.ErrClosed
	}
	if err := s.Memory.Settle(settled...); err != nil {
		return err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.disk.waiting = slices.DeleteFunc(s.disk.waiting, func(r *spool.Record) bool {
		return slices.ContainsFunc(settled, func(one spool.Settlement) bool { return one.Position == r.Position })
	})
	return nil
}

func (s *survivor) Recover(context.Context) (spool.Recovery, error) { return s.recovered, nil }

func (s *survivor) Forget(id spool.StreamID) error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	delete(s.disk.streams, id)
	s.disk.recent = slices.DeleteFunc(s.disk.recent, func(r spool.Sighting) bool { return time.Since(r.At) > time.Hour })
	return nil
}
