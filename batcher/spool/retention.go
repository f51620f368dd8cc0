package spool

import (
	"context"
	"errors"
	"time"
)

// Retention says how many dead letters are kept. Zero: without that limit.
type Retention struct {
	MaxAge   time.Duration // since the rejection
	MaxBytes uint64
}

// Swept is how many dead letters a Sweep has dropped, and why.
type Swept struct {
	Age, Size int
}

// sweepAtOnce is how many letters one Drop of a Sweep gets at most.
const sweepAtOnce = 1000

// Sweep drops the oldest dead letters until the rest is within the limits:
//
//	W1  a letter that is too old goes
//	W2  while all together are too big, the oldest goes
//	W3  letters go from the oldest on; behind the first that may stay, all stay
//	W4  one that cannot be read goes with the next younger one that goes
//
// What it returns has been dropped, also where it returns an error.
func Sweep(ctx context.Context, letters DeadLetters, now time.Time, keep Retention) (Swept, error) {
	var all Swept
	for {
		ids, why := doomed(ctx, letters, now, keep)
		if len(ids) == 0 {
			return all, why.err
		}
		n, err := letters.Drop(ctx, ids...)
		aged := min(n, why.aged)
		all.Age, all.Size = all.Age+aged, all.Size+n-aged
		if err != nil || n == 0 || len(ids) < sweepAtOnce {
			return all, errors.Join(why.err, err)
		}
	}
}

// sentence is why letters must go.
type sentence struct {
	aged int // so many of them, the first ones, for their age
	err  error
}

// doomed finds the first letters that must go.
func doomed(ctx context.Context, letters DeadLetters, now time.Time, keep Retention) (ids []LetterID, why sentence) {
	kept := letters.Kept()
	excess := uint64(0)
	if keep.MaxBytes > 0 && kept.Bytes > keep.MaxBytes {
		excess = kept.Bytes - keep.MaxBytes
	}
	if keep.MaxAge == 0 && excess == 0 || kept.Letters == 0 {
		return nil, why
	}
	each := kept.Bytes / kept.Letters // what a letter takes on a disk is not known one by one
	going := 0
	for d, err := range letters.List(ctx, LetterFilter{}) {
		if len(ids) == sweepAtOnce {
			break
		}
		if errors.Is(err, ErrDamaged) {
			if d.ID != 0 {
				ids = append(ids, d.ID)
			}
			continue
		}
		if err != nil {
			why.err = err
			break
		}
		aged := keep.MaxAge > 0 && now.Sub(d.Rejected) > keep.MaxAge
		if !aged && uint64(len(ids))*max(each, 1) >= excess {
			break
		}
		ids = append(ids, d.ID)
		if going = len(ids); aged {
			why.aged = going
		}
	}
	return ids[:going], why
}
