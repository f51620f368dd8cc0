package spool

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"
)

// letterbox holds a Memory's dead letters. The Memory's mu guards it.
type letterbox struct {
	letters []DeadLetter // by number
	last    LetterID
	bytes   uint64
}

func (b *letterbox) keep(d DeadLetter) {
	b.last++
	d.ID = b.last
	b.letters = append(b.letters, d)
	b.bytes += d.size()
}

// from returns where the letters from a number on begin.
func (b *letterbox) from(id LetterID) int {
	at, _ := slices.BinarySearchFunc(b.letters, id, func(d DeadLetter, id LetterID) int { return int(d.ID) - int(id) })
	return at
}

func (b *letterbox) get(id LetterID) (DeadLetter, bool) {
	at := b.from(id)
	if at == len(b.letters) || b.letters[at].ID != id {
		return DeadLetter{}, false
	}
	return b.letters[at], true
}

func (b *letterbox) drop(ids []LetterID) int {
	gone := make(map[LetterID]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	before := len(b.letters)
	b.letters = slices.DeleteFunc(b.letters, func(d DeadLetter) bool {
		if gone[d.ID] {
			b.bytes -= d.size()
		}
		return gone[d.ID]
	})
	return before - len(b.letters)
}

// memoryLetters are a Memory's DeadLetters.
type memoryLetters struct{ m *Memory }

// DeadLetters returns the rejected utterances that are kept, in memory.
func (m *Memory) DeadLetters() DeadLetters { return memoryLetters{m} }

// List copies a few at a time, so that it holds nobody up.
func (l memoryLetters) List(ctx context.Context, f LetterFilter) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		l.m.mu.Lock()
		last := l.m.letters.last
		l.m.mu.Unlock()
		for next := LetterID(1); ; {
			some, err := l.some(ctx, next, last)
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			if len(some) == 0 {
				return
			}
			for i := range some {
				if f.Passes(&some[i]) && !yield(some[i], nil) {
					return
				}
			}
			next = some[len(some)-1].ID + 1
		}
	}
}

func (l memoryLetters) some(ctx context.Context, next, last LetterID) ([]DeadLetter, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.closed {
		return nil, ErrClosed
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	b := &l.m.letters
	from, end := b.from(next), b.from(last+1)
	return slices.Clone(b.letters[from:min(end, from+256)]), nil
}

func (l memoryLetters) Get(_ context.Context, id LetterID) (DeadLetter, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.closed {
		return DeadLetter{}, ErrClosed
	}
	d, ok := l.m.letters.get(id)
	if !ok {
		return DeadLetter{}, fmt.Errorf("%w: %d", ErrNoLetter, id)
	}
	return d, nil
}

func (l memoryLetters) Retry(_ context.Context, ids ...LetterID) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.closed {
		return 0, ErrClosed
	}
	now := time.Now()
	var again []*Record
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if d, ok := l.m.letters.get(id); ok {
			again = append(again, d.Again(now))
		}
	}
	l.m.append(again)
	return l.m.letters.drop(ids), nil
}

func (l memoryLetters) Drop(_ context.Context, ids ...LetterID) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.closed {
		return 0, ErrClosed
	}
	return l.m.letters.drop(ids), nil
}

func (l memoryLetters) Kept() Kept {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return Kept{Letters: uint64(len(l.m.letters.letters)), Bytes: l.m.letters.bytes}
}
