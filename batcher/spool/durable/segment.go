package durable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool"
)

// A segment is closed when it has this much, which bounds what packing one
// costs. In a very large spool it has more, for the row to stay short.
const (
	segmentBytes  = 32 << 20
	segmentFrames = 50_000
	maxBySize     = 256
)

func segmentSize(maxBytes int64) int { return int(max(segmentBytes, maxBytes/maxBySize)) }

// segment is a stream of frames. The frames lie in a row of segments, whose
// sequences go on from one to the next; only the last one is written to. A
// closed one can go as a whole, and be replaced by a smaller one of the same
// place: that is how what is settled goes behind what waits.
type segment struct {
	begin    uint64 // the sequence its frames begin at, or a later one
	revision int    // how often it was replaced
}

// firstSegment has the stream of layout 1, which knew only this one.
var firstSegment = segment{begin: 1}

func (g segment) stream() string {
	if g == firstSegment {
		return frameStream
	}
	return fmt.Sprintf("%s_%d_%d", frameStream, g.begin, g.revision)
}

// subject carries the partition, so that more of them need no migration.
func (g segment) subject(partition uint16) string {
	return fmt.Sprintf("%s.p%d", g.prefix(), partition)
}

func (g segment) prefix() string {
	if g == firstSegment {
		return "steno.spool"
	}
	return fmt.Sprintf("steno.frames.%d.%d", g.begin, g.revision)
}

func parseSegment(stream string) (g segment, ok bool) {
	if stream == frameStream {
		return firstSegment, true
	}
	n, err := fmt.Sscanf(stream, frameStream+"_%d_%d", &g.begin, &g.revision)
	return g, err == nil && n == 2 && g.stream() == stream
}

// held is a segment and what the books know of it.
type held struct {
	segment
	span             // of the frames that are in the books; last is 0 while it has none, and a purge of a prefix does not lower present
	kept   uint64    // its frames that are on disk
	frames int       // a purge of a prefix does not lower it
	bytes  int       // nor this
	tried  time.Time // when it was last packed
}

// add takes in a frame behind all others.
func (h *held) add(f stored) {
	if h.last == 0 {
		h.span = span{firstSeq: f.seq, first: f.first}
	}
	h.lastSeq, h.last = f.seq, f.last
	h.oldest, h.newest = earlier(h.oldest, f.oldest), later(h.newest, f.newest)
	h.kept++
	h.frames++
	h.bytes += f.bytes
	h.present += f.present
}

// segmentRow is the segments, oldest first. There is always one.
type segmentRow []*held

func (r segmentRow) current() *held { return r[len(r)-1] }

// at returns the segment that holds seq, or would.
func (r segmentRow) at(seq uint64) *held {
	for _, h := range slices.Backward(r) {
		if h.begin <= seq {
			return h
		}
	}
	return r[0]
}

// behind returns the sequence that the segment after seq's begins at.
func (r segmentRow) behind(seq uint64) (uint64, bool) {
	for _, h := range r {
		if h.begin > seq {
			return h.begin, true
		}
	}
	return 0, false
}

// whole is in a segment's metadata once it may take the place of the one
// before it.
const whole = "steno-whole"

// segments returns those in the store, oldest first. Of two revisions, which a
// crash can leave, the older one counts until the newer one is whole; the other
// goes, unless one only looks.
func (s *store) segments(ctx context.Context, look bool) (row []segment, err error) {
	list := s.js.StreamNames(ctx, jetstream.WithStreamListSubject(s.names.every()))
	for name := range list.Name() {
		ours, ok := s.names.ours(name)
		if g, frames := parseSegment(ours); ok && frames {
			row = append(row, g)
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list the spool's segments: %w", err)
	}
	slices.SortFunc(row, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.revision, b.revision))
	})
	for i := 0; i+1 < len(row); {
		if row[i].begin != row[i+1].begin {
			i++
			continue
		}
		ready, err := s.isWhole(ctx, row[i+1])
		if err != nil {
			return nil, err
		}
		gone := i + 1
		if ready {
			gone = i
		}
		if !look {
			if err := s.drop(ctx, row[gone]); err != nil {
				return nil, err
			}
		}
		row = slices.Delete(row, gone, gone+1)
	}
	return row, nil
}

// withoutLost takes out of row what a roll has made whose answer was lost: a
// segment with nothing in it, to whose sequences an older one has gone on. It
// goes, unless one only looks.
func (s *store) withoutLost(ctx context.Context, row []segment, look bool) (kept []segment, err error) {
	if len(row) < 2 {
		return row, nil
	}
	states, err := s.states(ctx)
	if err != nil {
		return nil, err
	}
	last := uint64(0)
	for _, g := range row {
		state := states[g.stream()]
		if state.Msgs == 0 && last >= g.begin {
			if !look {
				err = errors.Join(err, s.drop(ctx, g))
			}
			continue
		}
		last = max(last, state.LastSeq)
		kept = append(kept, g)
	}
	return kept, err
}

func (s *store) isWhole(ctx context.Context, g segment) (bool, error) {
	at, err := s.js.Stream(ctx, s.names.stream(g.stream()))
	if err != nil {
		return false, fmt.Errorf("look at the segment %s: %w", g.stream(), err)
	}
	return at.CachedInfo().Config.Metadata[whole] != "", nil
}

// begin makes an empty segment.
func (s *store) begin(ctx context.Context, g segment, files fileSize) error {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	if err := s.makeStream(ctx, s.segmentConfig(g), files); err != nil {
		return fmt.Errorf("begin the segment %s: %w", g.stream(), err)
	}
	return nil
}

// seal lets a segment take the place of its former revision.
func (s *store) seal(ctx context.Context, g segment) error {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	c := s.segmentConfig(g)
	c.Metadata = map[string]string{whole: "yes"}
	if _, err := s.js.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("seal the segment %s: %w", g.stream(), err)
	}
	return nil
}

// drop deletes a segment's files. One that is not there is fine.
func (s *store) drop(ctx context.Context, g segment) error {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	err := s.js.DeleteStream(ctx, s.names.stream(g.stream()))
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("drop the segment %s: %w", g.stream(), err)
	}
	return nil
}

// segmentConfig leaves the limit of bytes to us: it is one for all of them.
func (s *store) segmentConfig(g segment) jetstream.StreamConfig {
	c := s.streamConfig(g.stream(), g.prefix()+".>")
	if g != firstSegment {
		c.FirstSeq = g.begin
	}
	return c
}

// unsettled are the maximal runs of positions from first to last that are not
// in settled.
func unsettled(settled *positions, first, last spool.Position) (runs []run) {
	for p := max(first, settled.floor); p <= last; p++ {
		if settled.has(p) {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].last+1 == p {
			runs[n-1].last = p
		} else {
			runs = append(runs, run{p, p})
		}
	}
	return runs
}
