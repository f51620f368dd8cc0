package durable

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"example.com/steno/batcher/spool"
)

// retryGroup is how many utterances a retry appends at once, at most. It bounds
// what of a retry that a crash has cut is in two places.
const retryGroup = 500

// deadLetters are a Spool's DeadLetters.
type deadLetters struct{ s *Spool }

// DeadLetters returns the rejected utterances that are on the disk.
func (s *Spool) DeadLetters() spool.DeadLetters { return deadLetters{s} }

// List fetches page by page. JetStream passes over what it cannot read as over
// what was dropped: that some are missing shows at the end, in their number.
func (l deadLetters) List(ctx context.Context, f spool.LetterFilter) iter.Seq2[spool.DeadLetter, error] {
	return func(yield func(spool.DeadLetter, error) bool) {
		if l.s.isClosed() {
			yield(spool.DeadLetter{}, spool.ErrClosed)
			return
		}
		dropped := l.s.dropped()
		state, err := l.s.store.state(ctx, letterStream)
		if err != nil {
			yield(spool.DeadLetter{}, err)
			return
		}
		last, seen := lastOf(state.Msgs, state.LastSeq), uint64(0)
		for next := max(state.FirstSeq, 1); next <= last && seen < state.Msgs; {
			var got []fetched
			from := page{Seq: next, Batch: pageFrames, MaxBytes: pageBytes}
			next, err = l.s.store.fetch(ctx, letterStream, from, func(seq uint64, data []byte) { got = append(got, fetched{seq, data}) })
			if errors.Is(err, errNothing) {
				next++
				continue
			}
			if err != nil {
				yield(spool.DeadLetter{}, err)
				return
			}
			for _, g := range got {
				if seen++; g.seq <= last && !l.yield(g, f, yield) {
					return
				}
			}
		}
		if missing := int(state.Msgs) - int(seen) - int(l.s.dropped()-dropped); missing > 0 {
			yield(spool.DeadLetter{}, fmt.Errorf("%w: JetStream cannot read %d of %d", spool.ErrDamaged, missing, state.Msgs))
		}
	}
}

// yield decodes a letter and lets the filter look at it.
func (l deadLetters) yield(g fetched, f spool.LetterFilter, yield func(spool.DeadLetter, error) bool) bool {
	d, err := decodeLetter(spool.LetterID(g.seq), g.data)
	if err != nil {
		return yield(d, err)
	}
	return !f.Passes(&d) || yield(d, nil)
}

func (s *Spool) dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.letterCount.dropped
}

func (l deadLetters) Get(ctx context.Context, id spool.LetterID) (spool.DeadLetter, error) {
	if l.s.isClosed() {
		return spool.DeadLetter{}, spool.ErrClosed
	}
	return l.s.store.letter(ctx, id)
}

func (l deadLetters) Retry(ctx context.Context, ids ...spool.LetterID) (retried int, err error) {
	done, err := l.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	for group := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), retryGroup) {
		there, damaged := l.find(ctx, group)
		n, failed := l.retry(ctx, there)
		retried, err = retried+n, errors.Join(err, damaged, failed)
		if failed != nil {
			break
		}
	}
	return retried, err
}

// find gets those of the letters that are there.
func (l deadLetters) find(ctx context.Context, ids []spool.LetterID) (there []spool.DeadLetter, err error) {
	for _, id := range ids {
		d, failed := l.s.store.letter(ctx, id)
		switch {
		case failed == nil:
			there = append(there, d)
		case !errors.Is(failed, spool.ErrNoLetter):
			err = errors.Join(err, failed)
		}
	}
	return there, err
}

// retry appends as many at once as fit into a frame, and drops their letters,
// which must not be cut short by ctx: then they would be in two places.
func (l deadLetters) retry(ctx context.Context, letters []spool.DeadLetter) (retried int, err error) {
	for len(letters) > 0 {
		var records []*spool.Record
		var ids []spool.LetterID
		now, size := time.Now(), 0
		for _, d := range letters {
			if size += len(d.Record.Message) + recordOverhead; size > maxFrameBytes && len(ids) > 0 {
				break
			}
			records, ids = append(records, d.Again(now)), append(ids, d.ID)
		}
		if err := l.s.Append(ctx, records); err != nil {
			return retried, fmt.Errorf("append what is retried: %w", err)
		}
		n, err := l.erase(context.WithoutCancel(ctx), ids)
		retried += n
		if err != nil {
			return retried, err
		}
		letters = letters[len(ids):]
	}
	return retried, nil
}

func (l deadLetters) Drop(ctx context.Context, ids ...spool.LetterID) (int, error) {
	done, err := l.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	var there []spool.LetterID
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if _, err := l.s.store.letter(ctx, id); err == nil || errors.Is(err, spool.ErrDamaged) {
			there = append(there, id)
		} else if !errors.Is(err, spool.ErrNoLetter) {
			return 0, err
		}
	}
	return l.erase(ctx, there)
}

// begin lets one change the letters at a time, so that none is retried twice.
func (l deadLetters) begin(ctx context.Context) (done func(), err error) {
	switch {
	case l.s.cfg.Inspect:
		return nil, errInspected
	case l.s.isClosed():
		return nil, spool.ErrClosed
	}
	select {
	case l.s.changing <- struct{}{}:
		return func() { <-l.s.changing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// erase notes how many go before they do, so that none goes by itself unseen.
func (l deadLetters) erase(ctx context.Context, ids []spool.LetterID) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, eraseTimeout)
	defer cancel()
	if len(ids) == 0 {
		return 0, nil
	}
	l.s.mu.Lock()
	l.s.letterCount.dropped += uint64(len(ids))
	saying := l.s.emptyNote()
	l.s.mu.Unlock()
	if _, err := l.s.store.publish(ctx, noteSubject(0), "", saying.encode()); err != nil {
		return 0, fmt.Errorf("note which dead letters are dropped: %w", err)
	}
	n, err := l.s.store.erase(ctx, ids)
	l.s.measureLetters(ctx)
	return n, err
}

// eraseTimeout is far above what the letters of one change take.
const eraseTimeout = time.Minute

func (l deadLetters) Kept() spool.Kept {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.letters
}
