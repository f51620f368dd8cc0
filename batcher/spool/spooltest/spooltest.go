// Package spooltest is the suite that every spool passes: one test of each
// sentence in spool.Spool's documentation.
package spooltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
)

// Run tests the spools that open returns, each test with its own, in a bubble.
func Run(t *testing.T, open func(*testing.T) spool.Spool) {
	for _, tt := range append(tests, letterTests...) {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.run(t, open, synctest.Wait) })
		})
	}
}

// RunOutside is Run for spools that cannot live in a bubble, because a server
// with goroutines of its own is behind them. There, that nothing happens can
// only be seen by waiting for a little while.
func RunOutside(t *testing.T, open func(*testing.T) spool.Spool) {
	for _, tt := range append(tests, letterTests...) {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, open, func() { time.Sleep(20 * time.Millisecond) })
		})
	}
}

// test is one test of the suite. idle returns when nothing happens any more.
type test struct {
	name string
	test func(t *testing.T, s spool.Spool, idle func())
}

func (tt test) run(t *testing.T, open func(*testing.T) spool.Spool, idle func()) {
	s := open(t)
	defer s.Close()
	tt.test(t, s, idle)
}

var tests = []test{
	{"read in the order of append", readInOrder},
	{"read waits for an append", readWaits},
	{"a done context ends the waiting and not the reading", doneContext},
	{"settle in any order, each once", settleAnyOrder},
	{"refuses to settle what was not read", settleUnread},
	{"marks are not counted", marks},
	{"the account balances at every step", balances},
	{"many appenders, nothing lost, each one's order kept", manyAppenders},
	{"closed", closed},
}

func record(call string, seq uint64) *spool.Record {
	return &spool.Record{
		Call: call, Stream: spool.StreamID{Call: call, ID: "s"}, Seq: seq,
		MessageID: fmt.Sprintf("%s/%d", call, seq), Speaker: call + "END_USER",
		Received: time.Now(), Message: []byte(`{"content":"hello"}`),
	}
}

func appendAll(t *testing.T, s spool.Spool, rs ...*spool.Record) {
	t.Helper()
	group := slices.Clone(rs)
	if err := s.Append(t.Context(), group); err != nil {
		t.Fatalf("Append(%d records): %v", len(rs), err)
	}
	clear(group) // it is ours again
}

// readAll reads what is there and no more.
func readAll(t *testing.T, s spool.Spool) []*spool.Record {
	t.Helper()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	var got []*spool.Record
	buf := make([]*spool.Record, 3)
	for {
		n, err := s.Read(done, buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return got
		}
	}
}

func readInOrder(t *testing.T, s spool.Spool, _ func()) {
	appendAll(t, s, record("a", 1), record("b", 1))
	appendAll(t, s, record("a", 2), record("a", 3), record("b", 2))
	got := readAll(t, s)
	want := []string{"a/1", "b/1", "a/2", "a/3", "b/2"}
	if len(got) != len(want) {
		t.Fatalf("read %d records, want %d", len(got), len(want))
	}
	var last spool.Position
	for i, r := range got {
		if r.MessageID != want[i] {
			t.Errorf("record %d is %s, want %s", i, r.MessageID, want[i])
		}
		if r.Position <= last {
			t.Errorf("record %d has position %d after %d", i, r.Position, last)
		}
		if string(r.Message) != `{"content":"hello"}` || r.Speaker != r.Call+"END_USER" || r.Received.IsZero() {
			t.Errorf("record %d came back changed: %+v", i, r)
		}
		last = r.Position
	}
	if more := readAll(t, s); len(more) != 0 {
		t.Errorf("a second read returned %d records again", len(more))
	}
}

func readWaits(t *testing.T, s spool.Spool, idle func()) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result)
	go func() {
		n, err := s.Read(t.Context(), make([]*spool.Record, 8))
		done <- result{n, err}
	}()
	idle()
	select {
	case r := <-done:
		t.Fatalf("Read of an empty spool returned %d, %v", r.n, r.err)
	default:
	}
	appendAll(t, s, record("a", 1))
	if r := <-done; r.n != 1 || r.err != nil {
		t.Errorf("Read = %d, %v, want 1 record", r.n, r.err)
	}
}

func doneContext(t *testing.T, s spool.Spool, _ func()) {
	appendAll(t, s, record("a", 1), record("a", 2))
	cause := errors.New("draining")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	buf := make([]*spool.Record, 1)
	for i := range 2 {
		if n, err := s.Read(ctx, buf); n != 1 || err != nil {
			t.Fatalf("Read %d with a done context = %d, %v, want what is there", i, n, err)
		}
	}
	if n, err := s.Read(ctx, buf); n != 0 || !errors.Is(err, cause) {
		t.Errorf("Read of the rest = %d, %v, want 0 and the context's cause", n, err)
	}
	if err := s.Append(ctx, []*spool.Record{record("a", 3)}); err == nil {
		t.Error("Append with a done context returned no error")
	}
}

func settleAnyOrder(t *testing.T, s spool.Spool, _ func()) {
	appendAll(t, s, record("a", 1), record("b", 1), record("a", 2))
	rs := readAll(t, s)
	for _, i := range []int{2, 0, 1} {
		settled := spool.Settlement{Position: rs[i].Position}
		if i == 0 {
			settled.Rejected = "paused"
		}
		if err := s.Settle(settled); err != nil {
			t.Fatalf("Settle(%d): %v", rs[i].Position, err)
		}
		if err := s.Settle(settled); err == nil {
			t.Errorf("position %d was settled twice without an error", rs[i].Position)
		}
	}
	a := s.Account()
	if a.Accepted != 3 || a.Delivered != 2 || a.Rejected["paused"] != 1 || a.Pending != 0 || a.Bytes != 0 || !a.Oldest.IsZero() {
		t.Errorf("account is %+v, want 3 = 2 + 1 paused + 0", a)
	}
}

func settleUnread(t *testing.T, s spool.Spool, _ func()) {
	appendAll(t, s, record("a", 1))
	for _, p := range []spool.Position{0, 1, 2} {
		if err := s.Settle(spool.Settlement{Position: p}); err == nil {
			t.Errorf("Settle(%d) of a record that was not read returned no error", p)
		}
	}
	if a := s.Account(); a.Pending != 1 {
		t.Errorf("%d pending, want 1", a.Pending)
	}
}

func marks(t *testing.T, s spool.Spool, _ func()) {
	appendAll(t, s, &spool.Record{Call: "a", Ended: true})
	if a := s.Account(); a.Accepted != 0 || a.Pending != 0 || !a.Oldest.IsZero() {
		t.Errorf("account after a mark is %+v, want nothing", a)
	}
	rs := readAll(t, s)
	if len(rs) != 1 || !rs[0].Ended || rs[0].Call != "a" {
		t.Fatalf("read %+v, want the mark", rs)
	}
	if err := s.Settle(spool.Settlement{Position: rs[0].Position}); err != nil {
		t.Fatal(err)
	}
	if a := s.Account(); a.Delivered != 0 {
		t.Errorf("%d delivered after settling a mark, want 0", a.Delivered)
	}
}

func balances(t *testing.T, s spool.Spool, _ func()) {
	check := func(when string) {
		t.Helper()
		a := s.Account()
		rejected := uint64(0)
		for _, n := range a.Rejected {
			rejected += n
		}
		if a.Accepted != a.Delivered+rejected+a.Pending {
			t.Errorf("%s: accepted %d ≠ delivered %d + rejected %d + pending %d", when, a.Accepted, a.Delivered, rejected, a.Pending)
		}
	}
	check("empty")
	for i := range uint64(100) {
		appendAll(t, s, record("a", 2*i+1), record("a", 2*i+2))
		check("after an append")
		for j, r := range readAll(t, s) {
			reason := ""
			if j%2 == 1 {
				reason = "invalid"
			}
			if (i+uint64(j))%3 != 0 {
				if err := s.Settle(spool.Settlement{Position: r.Position, Rejected: reason}); err != nil {
					t.Fatal(err)
				}
			}
			check("after a settlement")
		}
	}
	if a := s.Account(); a.Accepted != 200 || a.Pending == 0 || a.Oldest.IsZero() {
		t.Errorf("account at the end is %+v, want 200 accepted and some pending", a)
	}
}

func manyAppenders(t *testing.T, s spool.Spool, _ func()) {
	const calls, each = 20, 50
	for c := range calls {
		go func() {
			for i := range uint64(each) {
				if err := s.Append(t.Context(), []*spool.Record{record(fmt.Sprint(c), i+1)}); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		}()
	}
	next := map[string]uint64{}
	buf := make([]*spool.Record, 16)
	for got := 0; got < calls*each; {
		n, err := s.Read(t.Context(), buf)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range buf[:n] {
			next[r.Call]++
			if r.Seq != next[r.Call] {
				t.Fatalf("call %s: read seq %d, want %d", r.Call, r.Seq, next[r.Call])
			}
		}
		got += n
	}
}

func closed(t *testing.T, s spool.Spool, idle func()) {
	if err := s.Health(); err != nil {
		t.Errorf("Health of an open spool = %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := s.Read(t.Context(), make([]*spool.Record, 1))
		done <- err
	}()
	idle()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := <-done; !errors.Is(err, spool.ErrClosed) {
		t.Errorf("a waiting Read returned %v, want ErrClosed", err)
	}
	if err := s.Append(t.Context(), []*spool.Record{record("a", 1)}); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Append after Close returned %v, want ErrClosed", err)
	}
	if err := s.Health(); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Health after Close = %v, want ErrClosed", err)
	}
}
