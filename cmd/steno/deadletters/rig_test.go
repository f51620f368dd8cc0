package deadletters_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/deadletters"
)

// letter is one of a call, spoken at a time in milliseconds.
func letter(call string, start int64, reason string) spool.DeadLetter {
	id := fmt.Sprintf("%s/%d", call, start)
	return spool.DeadLetter{
		Record: spool.Record{
			Call: call, MessageID: id, Received: time.UnixMilli(start + 100),
			Message: fmt.Appendf(nil, `{"startTime":%d,"endTime":%d,"participantId":"%sEND_USER","messageId":%q,"senderType":"END_USER","content":"the secret words <of> %s"}`,
				start, start+50, call, id, id),
		},
		Reason: reason, Words: "400: no to the secret words", Attempts: 2, Sent: time.UnixMilli(start + 200), Rejected: time.UnixMilli(start + 300),
	}
}

// kept is a spool that keeps the letters.
func kept(t *testing.T, letters ...spool.DeadLetter) *spool.Memory {
	t.Helper()
	s := spool.NewMemory()
	for i, d := range letters {
		if err := s.Append(t.Context(), []*spool.Record{&d.Record}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), []*spool.Record{{}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(spool.Settlement{Position: spool.Position(i + 1), Rejected: d.Reason, Dead: &d}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// bothWays runs test on the letters themselves and through a server.
func bothWays(t *testing.T, s func(*testing.T) spool.DeadLetters, test func(*testing.T, deadletters.Letters)) {
	bothWaysOf(t, func(t *testing.T) deadletters.Letters { return &deadletters.Local{Spool: s(t)} }, test)
}

func bothWaysOf(t *testing.T, made func(*testing.T) deadletters.Letters, test func(*testing.T, deadletters.Letters)) {
	t.Run("local", func(t *testing.T) { test(t, made(t)) })
	t.Run("remote", func(t *testing.T) {
		daemon := httptest.NewServer(deadletters.Handler(made(t), ""))
		defer daemon.Close()
		test(t, &deadletters.Remote{URL: daemon.URL, Client: daemon.Client()})
	})
}

// broken has letters among the others that cannot be read.
type broken struct {
	spool.DeadLetters
	ids map[spool.LetterID]bool
}

func (l broken) List(ctx context.Context, f spool.LetterFilter) iter.Seq2[spool.DeadLetter, error] {
	return func(yield func(spool.DeadLetter, error) bool) {
		for d, err := range l.DeadLetters.List(ctx, f) {
			if l.ids[d.ID] {
				d, err = spool.DeadLetter{ID: d.ID}, fmt.Errorf("%w: %d: on purpose", spool.ErrDamaged, d.ID)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// ids lists the letters that pass.
func ids(t *testing.T, l deadletters.Letters, f deadletters.Filter) (all []uint64) {
	t.Helper()
	err := l.List(t.Context(), f, func(d deadletters.Shown) error {
		all = append(all, d.ID)
		return nil
	})
	if err != nil && !errors.Is(err, deadletters.ErrDamaged) {
		t.Fatalf("list %+v: %v", f, err)
	}
	return all
}
