package spool_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

// rejected is a spool in memory with so many dead letters, rejected a minute
// apart from the epoch on.
func rejected(t *testing.T, n int) *spool.Memory {
	t.Helper()
	s := spool.NewMemory()
	for i := range n {
		r := &spool.Record{Call: "a", MessageID: fmt.Sprint(i), Message: make([]byte, 100)}
		if err := s.Append(t.Context(), []*spool.Record{r}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), []*spool.Record{{}}); err != nil {
			t.Fatal(err)
		}
		d := &spool.DeadLetter{Record: *r, Reason: "invalid", Rejected: minute(i)}
		if err := s.Settle(spool.Settlement{Position: spool.Position(i + 1), Rejected: "invalid", Dead: d}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func minute(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * time.Minute) }

func TestSweep(t *testing.T) {
	f := func(n int, now time.Time, keep spool.Retention, want spool.Swept) {
		t.Helper()
		s := rejected(t, n)
		got, err := spool.Sweep(t.Context(), s.DeadLetters(), now, keep)
		if err != nil || got != want {
			t.Errorf("%d letters at minute %v, %+v: swept %+v, %v, want %+v", n, now.Sub(minute(0)).Minutes(), keep, got, err, want)
		}
		left := n - want.Age - want.Size
		if kept := s.DeadLetters().Kept(); kept.Letters != uint64(left) {
			t.Errorf("%d letters are left, want %d", kept.Letters, left)
		}
		if d, err := s.DeadLetters().Get(t.Context(), spool.LetterID(n)); left > 0 && (err != nil || d.Record.MessageID != fmt.Sprint(n-1)) {
			t.Errorf("W3: the youngest is %+v, %v", d, err)
		}
	}
	f(10, minute(10), spool.Retention{}, spool.Swept{})
	f(0, minute(10), spool.Retention{MaxAge: time.Minute, MaxBytes: 1}, spool.Swept{})
	f(10, minute(10), spool.Retention{MaxAge: 10 * time.Minute}, spool.Swept{})
	f(10, minute(13), spool.Retention{MaxAge: 10 * time.Minute}, spool.Swept{Age: 3})
	f(10, minute(100), spool.Retention{MaxAge: 10 * time.Minute}, spool.Swept{Age: 10})
	f(10, minute(10), spool.Retention{MaxBytes: 10_000}, spool.Swept{})
	f(10, minute(10), spool.Retention{MaxBytes: 520}, spool.Swept{Size: 5}) // 102 bytes each
	f(10, minute(13), spool.Retention{MaxAge: 10 * time.Minute, MaxBytes: 520}, spool.Swept{Age: 3, Size: 2})
	f(10, minute(18), spool.Retention{MaxAge: 10 * time.Minute, MaxBytes: 520}, spool.Swept{Age: 8})
	f(2500, minute(2500), spool.Retention{MaxAge: 100 * time.Minute}, spool.Swept{Age: 2400})
	f(2500, minute(2500), spool.Retention{MaxBytes: 1}, spool.Swept{Size: 2500})
}

// damaged lists some letters as ones that cannot be read.
type damaged struct {
	spool.DeadLetters
	ids map[spool.LetterID]bool
}

func (l damaged) List(ctx context.Context, f spool.LetterFilter) iter.Seq2[spool.DeadLetter, error] {
	return func(yield func(spool.DeadLetter, error) bool) {
		for d, err := range l.DeadLetters.List(ctx, f) {
			if l.ids[d.ID] {
				d, err = spool.DeadLetter{ID: d.ID}, spool.ErrDamaged
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// W4: a damaged letter goes with its neighbour, and does not stop the sweep.
func TestSweepOfDamagedLetters(t *testing.T) {
	s := rejected(t, 10)
	letters := damaged{s.DeadLetters(), map[spool.LetterID]bool{1: true, 3: true, 6: true}}
	got, err := spool.Sweep(t.Context(), letters, minute(14), spool.Retention{MaxAge: 10 * time.Minute})
	if want := (spool.Swept{Age: 4}); err != nil || got != want {
		t.Errorf("swept %+v, %v, want %+v: up to the fourth, two damaged ones with them", got, err, want)
	}
	got, err = spool.Sweep(t.Context(), letters, minute(15), spool.Retention{MaxAge: 10 * time.Minute})
	if want := (spool.Swept{Age: 1}); err != nil || got != want {
		t.Errorf("swept %+v, %v, want %+v: the sixth is damaged, and the seventh may stay", got, err, want)
	}
}

func TestSweepOfAClosedSpool(t *testing.T) {
	s := rejected(t, 3)
	letters := s.DeadLetters()
	kept := constant{letters, letters.Kept()}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := spool.Sweep(t.Context(), kept, minute(100), spool.Retention{MaxAge: time.Minute}); !errors.Is(err, spool.ErrClosed) || got != (spool.Swept{}) {
		t.Errorf("swept %+v, %v, want ErrClosed", got, err)
	}
}

// constant says what was kept before.
type constant struct {
	spool.DeadLetters
	kept spool.Kept
}

func (c constant) Kept() spool.Kept { return c.kept }
