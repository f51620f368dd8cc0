package spooltest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

var letterTests = []test{
	{"a dead letter is kept whole", letterIsWhole},
	{"list filters, in order, and stops when told to", listFilters},
	{"a rejection without a dead letter keeps nothing", noLetter},
	{"retry appends at the end of the call and drops the letter", retryAppends},
	{"retrying all of them ends, also when all are rejected again", retryEnds},
	{"many retry and drop at once, each letter once", manyChange},
	{"drop leaves nothing", dropLeavesNothing},
	{"dead letters of a closed spool", lettersClosed},
}

// letterOf is what is kept of a record that is rejected.
func letterOf(r *spool.Record, reason string) *spool.DeadLetter {
	at := time.UnixMilli(1_700_000_000_000 + int64(r.Seq)).UTC()
	return &spool.DeadLetter{
		Record: *r, Reason: reason, Words: "400 Salesforce says no to " + r.MessageID, Attempts: int(r.Seq), Ambiguous: r.Seq%2 == 0,
		Sent: at, Rejected: at.Add(time.Second),
	}
}

// rejectAll reads what there is, rejects it, and waits until it is kept.
func rejectAll(t *testing.T, s spool.Spool, idle func(), reason string) []*spool.DeadLetter {
	t.Helper()
	before := len(list(t, s, spool.LetterFilter{}))
	var all []*spool.DeadLetter
	for _, r := range readAll(t, s) {
		d := letterOf(r, reason)
		all = append(all, d)
		if err := s.Settle(spool.Settlement{Position: r.Position, Rejected: reason, Dead: d}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, idle, "the letters are kept", func() bool { return len(list(t, s, spool.LetterFilter{})) == before+len(all) })
	return all
}

// await waits for what a spool may do a little later.
func await(t *testing.T, idle func(), what string, ready func() bool) {
	t.Helper()
	for range 500 {
		if ready() {
			return
		}
		idle()
	}
	t.Fatalf("still not: %s", what)
}

func list(t *testing.T, s spool.Spool, f spool.LetterFilter) []spool.DeadLetter {
	t.Helper()
	var all []spool.DeadLetter
	for d, err := range s.DeadLetters().List(t.Context(), f) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		all = append(all, d)
	}
	return all
}

func idsOf(letters []spool.DeadLetter) (ids []spool.LetterID) {
	for _, d := range letters {
		ids = append(ids, d.ID)
	}
	return ids
}

func letterIsWhole(t *testing.T, s spool.Spool, idle func()) {
	appendAll(t, s, record("a", 1), record("b", 2))
	kept := rejectAll(t, s, idle, "invalid")
	got := list(t, s, spool.LetterFilter{})
	for i, want := range kept {
		d := got[i]
		if d.ID == 0 {
			t.Errorf("letter %d has no number", i)
		}
		if one, err := s.DeadLetters().Get(t.Context(), d.ID); err != nil || !sameLetter(one, d) {
			t.Errorf("Get(%d) = %+v, %v; the list has %+v", d.ID, one, err, d)
		}
		d.ID = 0
		if !sameLetter(d, *want) {
			t.Errorf("letter %d came back as %+v, want %+v", i, d, *want)
		}
	}
	await(t, idle, "2 letters of some bytes are counted", func() bool {
		k := s.DeadLetters().Kept()
		return k.Letters == 2 && k.Bytes > 0
	})
	if a := s.Account(); a.Rejected["invalid"] != 2 || a.Pending != 0 {
		t.Errorf("account %+v, want 2 rejected", a)
	}
	if _, err := s.DeadLetters().Get(t.Context(), got[1].ID+7); !errors.Is(err, spool.ErrNoLetter) {
		t.Errorf("Get of a letter that is not there = %v, want ErrNoLetter", err)
	}
}

// sameLetter compares times as moments.
func sameLetter(a, b spool.DeadLetter) bool {
	same := a.Rejected.Equal(b.Rejected) && a.Sent.Equal(b.Sent) && a.Record.Received.Equal(b.Record.Received) && a.Record.Spoken.Equal(b.Record.Spoken)
	for _, d := range []*spool.DeadLetter{&a, &b} {
		d.Rejected, d.Sent, d.Record.Received, d.Record.Spoken = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
	return same && reflect.DeepEqual(a, b)
}

func listFilters(t *testing.T, s spool.Spool, idle func()) {
	for n := uint64(1); n <= 5; n++ {
		appendAll(t, s, record("a", n))
	}
	rejectAll(t, s, idle, "invalid")
	for n := uint64(1); n <= 4; n++ {
		appendAll(t, s, record("b", n))
	}
	rejectAll(t, s, idle, "paused")
	f := func(f spool.LetterFilter, want int) {
		t.Helper()
		got := list(t, s, f)
		if len(got) != want {
			t.Errorf("%+v lets %d through, want %d", f, len(got), want)
		}
		for i := range got {
			if i > 0 && got[i].ID <= got[i-1].ID {
				t.Errorf("%+v: letter %d comes behind %d", f, got[i].ID, got[i-1].ID)
			}
		}
	}
	f(spool.LetterFilter{}, 9)
	f(spool.LetterFilter{Call: "a"}, 5)
	f(spool.LetterFilter{Reason: "paused"}, 4)
	f(spool.LetterFilter{Call: "a", Reason: "paused"}, 0)
	f(spool.LetterFilter{Org: "elsewhere"}, 0)
	f(spool.LetterFilter{Since: time.UnixMilli(1_700_000_001_004)}, 3) // a/4, a/5 and b/4
	seen := 0
	for range s.DeadLetters().List(t.Context(), spool.LetterFilter{}) {
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("a list that was stopped after 3 letters gave %d", seen)
	}
}

func noLetter(t *testing.T, s spool.Spool, idle func()) {
	appendAll(t, s, record("a", 1))
	for _, r := range readAll(t, s) {
		if err := s.Settle(spool.Settlement{Position: r.Position, Rejected: "lost"}); err != nil {
			t.Fatal(err)
		}
	}
	idle()
	if got := list(t, s, spool.LetterFilter{}); len(got) != 0 {
		t.Errorf("%d letters, want none", len(got))
	}
}

func retryAppends(t *testing.T, s spool.Spool, idle func()) {
	appendAll(t, s, record("a", 1), record("a", 2))
	rejectAll(t, s, idle, "unknown_call")
	appendAll(t, s, record("a", 3))
	ids := idsOf(list(t, s, spool.LetterFilter{}))
	if n, err := s.DeadLetters().Retry(t.Context(), ids[1], ids[0], ids[0], ids[1]+9); n != 2 || err != nil {
		t.Fatalf("Retry = %d, %v, want the 2 that there are", n, err)
	}
	rs := readAll(t, s)
	if len(rs) != 3 || rs[0].MessageID != "a/3" || rs[1].MessageID != "a/1" || rs[2].MessageID != "a/2" {
		t.Fatalf("read %+v, want a/3, a/1 and a/2", rs)
	}
	for i, r := range rs[1:] {
		want := record("a", uint64(i+1))
		if string(r.Message) != string(want.Message) || r.Speaker != want.Speaker || r.Call != "a" || r.Stream.ID != "" || r.Retried() != ids[i] {
			t.Errorf("retried as %+v, want the message of %s, of no stream and of letter %d", r, want.MessageID, ids[i])
		}
	}
	if rs[0].Retried() != 0 {
		t.Errorf("what was said now counts as a retry of letter %d", rs[0].Retried())
	}
	if a := s.Account(); a.Accepted != 5 || a.Rejected["unknown_call"] != 2 || a.Pending != 3 {
		t.Errorf("account %+v, want 5 accepted = 2 rejected + 3 pending", a)
	}
	if n, err := s.DeadLetters().Retry(t.Context(), ids...); n != 0 || err != nil {
		t.Errorf("a second Retry = %d, %v, want none", n, err)
	}
	if got := list(t, s, spool.LetterFilter{}); len(got) != 0 {
		t.Errorf("%d letters are left", len(got))
	}
}

func retryEnds(t *testing.T, s spool.Spool, idle func()) {
	for n := range uint64(30) {
		appendAll(t, s, record("a", n+1))
	}
	rejectAll(t, s, idle, "invalid")
	retried := 0
	for d, err := range s.DeadLetters().List(t.Context(), spool.LetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.DeadLetters().Retry(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		retried += n
		for _, r := range readAll(t, s) {
			if err := s.Settle(spool.Settlement{Position: r.Position, Rejected: "invalid", Dead: letterOf(r, "invalid")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if retried != 30 {
		t.Errorf("retried %d, want 30", retried)
	}
	await(t, idle, "there are 30 again", func() bool { return len(list(t, s, spool.LetterFilter{})) == 30 })
}

func manyChange(t *testing.T, s spool.Spool, idle func()) {
	const letters = 60
	for n := range uint64(letters) {
		appendAll(t, s, record(fmt.Sprint("c", n%7), n+1))
	}
	rejectAll(t, s, idle, "invalid")
	ids := idsOf(list(t, s, spool.LetterFilter{}))
	var retried, dropped atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			n, err := s.DeadLetters().Retry(t.Context(), ids[:letters*2/3]...)
			if err != nil {
				t.Errorf("Retry: %v", err)
			}
			retried.Add(int64(n))
		})
		all.Go(func() {
			n, err := s.DeadLetters().Drop(t.Context(), ids[letters/3:]...)
			if err != nil {
				t.Errorf("Drop: %v", err)
			}
			dropped.Add(int64(n))
		})
	}
	all.Wait()
	if retried.Load()+dropped.Load() != letters {
		t.Errorf("%d retried and %d dropped, want %d together", retried.Load(), dropped.Load(), letters)
	}
	if got := len(readAll(t, s)); int64(got) != retried.Load() {
		t.Errorf("read %d, %d were retried", got, retried.Load())
	}
}

func dropLeavesNothing(t *testing.T, s spool.Spool, idle func()) {
	appendAll(t, s, record("a", 1), record("a", 2), record("a", 3))
	rejectAll(t, s, idle, "invalid")
	ids := idsOf(list(t, s, spool.LetterFilter{}))
	if n, err := s.DeadLetters().Drop(t.Context(), ids[1], ids[1], 999); n != 1 || err != nil {
		t.Errorf("Drop = %d, %v, want 1", n, err)
	}
	if got := idsOf(list(t, s, spool.LetterFilter{})); len(got) != 2 || got[0] != ids[0] || got[1] != ids[2] {
		t.Errorf("left are %v, want the first and the last of %v", got, ids)
	}
	if n, err := s.DeadLetters().Drop(t.Context(), ids...); n != 2 || err != nil {
		t.Errorf("Drop of the rest = %d, %v, want 2", n, err)
	}
	if k := s.DeadLetters().Kept(); k != (spool.Kept{}) {
		t.Errorf("kept %+v, want nothing", k)
	}
	appendAll(t, s, record("a", 4))
	rejectAll(t, s, idle, "invalid")
	if got := list(t, s, spool.LetterFilter{}); len(got) != 1 || got[0].ID <= ids[2] {
		t.Errorf("the next letter is %v, want a number above %d", idsOf(got), ids[2])
	}
}

func lettersClosed(t *testing.T, s spool.Spool, idle func()) {
	appendAll(t, s, record("a", 1))
	rejectAll(t, s, idle, "invalid")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	letters := s.DeadLetters()
	for _, err := range letters.List(t.Context(), spool.LetterFilter{}) {
		if !errors.Is(err, spool.ErrClosed) {
			t.Errorf("List after Close: %v, want ErrClosed", err)
		}
	}
	if _, err := letters.Get(t.Context(), 1); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Get after Close: %v, want ErrClosed", err)
	}
	if _, err := letters.Retry(t.Context(), 1); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Retry after Close: %v, want ErrClosed", err)
	}
	if _, err := letters.Drop(t.Context(), 1); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Drop after Close: %v, want ErrClosed", err)
	}
}
