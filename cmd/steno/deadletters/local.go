package deadletters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"example.com/steno/batcher/spool"
)

// Local are the dead letters of a spool in this process.
type Local struct {
	Spool   spool.DeadLetters
	Changed func(act Act, letters int) // told of every change. nil: nobody is told
}

// atOnce is how many letters a change by filter takes at a time.
const atOnce = 500

// List calls each with every letter that passes.
func (l *Local) List(ctx context.Context, f Filter, each func(Shown) error) error {
	var damaged error
	for d, err := range l.whole(ctx, f, &damaged) {
		if err != nil {
			return err
		}
		if err := each(show(&d)); err != nil {
			return err
		}
	}
	return damaged
}

// whole yields the letters that can be read, and gathers into damaged that
// there are others.
func (l *Local) whole(ctx context.Context, f Filter, damaged *error) iter.Seq2[spool.DeadLetter, error] {
	return func(yield func(spool.DeadLetter, error) bool) {
		faults := 0
		for d, err := range l.Spool.List(ctx, f.spools()) {
			switch {
			case !errors.Is(err, spool.ErrDamaged):
				if !yield(d, err) {
					return
				}
			case faults < maxFaults:
				*damaged = errors.Join(*damaged, err)
				faults++
			}
		}
	}
}

// maxFaults is how many damaged letters are named one by one.
const maxFaults = 20

// Show returns one letter, whole.
func (l *Local) Show(ctx context.Context, org string, id uint64) (Shown, error) {
	d, err := l.Spool.Get(ctx, spool.LetterID(id))
	if err != nil {
		return Shown{}, err
	}
	if org != "" && d.Record.Org != org {
		return Shown{}, fmt.Errorf("%w: %d of org %q", spool.ErrNoLetter, id, org)
	}
	return showWhole(&d), nil
}

// Change retries or drops what is selected. By a filter, it is about the letters
// that are there when it begins: a retried one that is rejected at once again
// is a new letter.
func (l *Local) Change(ctx context.Context, act Act, s Selection) (int, error) {
	if err := s.Check(); err != nil {
		return 0, err
	}
	if len(s.IDs) > 0 {
		var ids []spool.LetterID
		for _, id := range s.IDs {
			if s.Org != "" {
				if _, err := l.Show(ctx, s.Org, id); err != nil {
					continue // the caller sees that it is not among the changed
				}
			}
			ids = append(ids, spool.LetterID(id))
		}
		return l.change(ctx, act, ids)
	}
	var damaged error
	var ids []spool.LetterID
	changed := 0
	flush := func() error {
		n, err := l.change(ctx, act, ids)
		changed, ids = changed+n, ids[:0]
		return err
	}
	for d, err := range l.whole(ctx, s.Filter, &damaged) {
		if err != nil {
			return changed, err
		}
		if ids = append(ids, d.ID); len(ids) < atOnce {
			continue
		}
		if err := flush(); err != nil {
			return changed, err
		}
	}
	err := flush()
	return changed, errors.Join(err, damaged)
}

func (l *Local) change(ctx context.Context, act Act, ids []spool.LetterID) (n int, err error) {
	switch act {
	case Retry:
		n, err = l.Spool.Retry(ctx, ids...)
	case Drop:
		n, err = l.Spool.Drop(ctx, ids...)
	default:
		return 0, fmt.Errorf("%q: a dead letter can be retried or dropped", act)
	}
	if n > 0 && l.Changed != nil {
		l.Changed(act, n)
	}
	return n, err
}

var _ Letters = (*Local)(nil)

// Export writes the letters that pass.
func (l *Local) Export(ctx context.Context, f Filter, w io.Writer) error {
	var damaged error
	order := newOrder()
	for d, err := range l.whole(ctx, f, &damaged) {
		if err != nil {
			return err
		}
		if err := order.add(&d); err != nil {
			damaged = errors.Join(damaged, err)
		}
	}
	out := upload{w: w}
	for _, id := range order.sorted() {
		d, err := l.Spool.Get(ctx, id)
		switch {
		case errors.Is(err, spool.ErrNoLetter): // retried or dropped meanwhile
		case err != nil:
			return err
		default:
			if err := out.write(&d); err != nil {
				return err
			}
		}
	}
	return damaged
}
