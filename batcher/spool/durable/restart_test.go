package durable_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// words is the text of record n of a call, which nothing else contains.
func words(call string, n uint64) string { return fmt.Sprintf("the words of %s %d", call, n) }

func record(call string, n uint64) *spool.Record {
	return &spool.Record{
		Call: call, Stream: spool.StreamID{Call: call, ID: "leg"}, Epoch: "e-" + call, Seq: n,
		MessageID: fmt.Sprintf("%s/%d", call, n), Speaker: call + "END_USER", Urgent: n%2 == 0,
		Spoken: time.UnixMilli(1_700_000_000_000 + int64(n)), Received: time.Now(), Message: []byte(`{"content":"` + words(call, n) + `"}`),
	}
}

// say appends n records of each call, one group for each round.
func say(t testing.TB, s spool.Spool, from, to uint64, calls ...string) {
	t.Helper()
	for n := from; n <= to; n++ {
		var group []*spool.Record
		for _, call := range calls {
			group = append(group, record(call, n))
		}
		if err := s.Append(t.Context(), group); err != nil {
			t.Fatalf("append round %d: %v", n, err)
		}
	}
}

// drain reads what is there.
func drain(t testing.TB, s spool.Spool) []*spool.Record {
	t.Helper()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	var got []*spool.Record
	buf := make([]*spool.Record, 100)
	for {
		n, err := s.Read(done, buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return got
		}
	}
}

func settle(t testing.TB, s spool.Spool, rs []*spool.Record, reason string) {
	t.Helper()
	for _, r := range rs {
		if err := s.Settle(spool.Settlement{Position: r.Position, Rejected: reason}); err != nil {
			t.Fatal(err)
		}
	}
}

// wantWhole checks that rs are the records from to to of each call, unchanged,
// in order.
func wantWhole(t testing.TB, rs []*spool.Record, from, to uint64, calls ...string) {
	t.Helper()
	next := map[string]uint64{}
	for i, r := range rs {
		if next[r.Call] == 0 {
			next[r.Call] = from
		}
		want := record(r.Call, next[r.Call])
		if r.MessageID != want.MessageID || !bytes.Equal(r.Message, want.Message) || r.Stream != want.Stream || r.Epoch != want.Epoch ||
			r.Seq != want.Seq || r.Speaker != want.Speaker || r.Urgent != want.Urgent || !r.Spoken.Equal(want.Spoken) {
			t.Fatalf("record %d is %+v, want %s", i, r, want.MessageID)
		}
		next[r.Call]++
	}
	for _, call := range calls {
		if next[call] != to+1 {
			t.Errorf("call %s: read up to %d, want %d", call, int(next[call])-1, to)
		}
	}
}

func closeIt(t testing.TB, s *durable.Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestRestartGoesOnWithWhatIsNotSettled(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 50, "a", "b")
	rs := drain(t, s)
	settle(t, s, rs[:40], "")
	settle(t, s, rs[40:41], "paused")
	closeIt(t, s)

	s = openAt(t, dir)
	defer closeIt(t, s)
	if a := s.Account(); a.Accepted != 59 || a.Pending != 59 || a.Delivered != 0 || a.Oldest.IsZero() {
		t.Errorf("account after the restart: %+v, want 59 accepted and pending", a)
	}
	if st := s.Stats(); st.Recovered != 59 || st.Lost != 0 {
		t.Errorf("stats %+v, want 59 recovered and none lost", st)
	}
	say(t, s, 51, 60, "a", "b", "c")
	got := drain(t, s)
	var backlog []*spool.Record
	for _, r := range got {
		if r.Call != "c" {
			backlog = append(backlog, r)
		}
	}
	if backlog[0].Position != rs[41].Position {
		t.Errorf("the backlog begins with position %d, want %d", backlog[0].Position, rs[41].Position)
	}
	last := map[string]uint64{}
	for _, r := range got {
		if r.Seq <= last[r.Call] {
			t.Errorf("call %s: %d after %d", r.Call, r.Seq, last[r.Call])
		}
		last[r.Call] = r.Seq
	}
	if last["a"] != 60 || last["b"] != 60 || last["c"] != 60 {
		t.Errorf("read up to %v, want 60 each", last)
	}
	settle(t, s, got, "")
	if a := s.Account(); a.Accepted != 89 || a.Delivered != 89 || a.Pending != 0 {
		t.Errorf("account at the end: %+v, want 89 delivered", a)
	}
}

func TestStreamsAndIDsAreRecovered(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 7, "a")
	say(t, s, 1, 3, "b")
	pieces := record("b", 4)
	pieces.Also = []string{"second", "third"}
	if err := s.Append(t.Context(), []*spool.Record{pieces}); err != nil {
		t.Fatal(err)
	}
	settle(t, s, drain(t, s), "") // also of what is settled
	if err := s.Forget(spool.StreamID{Call: "b", ID: "leg"}); err != nil {
		t.Fatal(err)
	}
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	back, err := s.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Streams) != 1 || back.Streams[0].Stream.Call != "a" || back.Streams[0].Acked != 7 || back.Streams[0].Epoch != "e-a" || back.Streams[0].Call != "a" {
		t.Errorf("recovered streams %+v, want a at 7: b was forgotten", back.Streams)
	}
	ids := map[string]bool{}
	for _, r := range back.Recent {
		ids[r.Call+" "+r.MessageID] = true
	}
	if len(ids) != 13 || !ids["a a/7"] || !ids["b b/1"] || !ids["b second"] || !ids["b third"] {
		t.Errorf("recovered ids %v, want eleven and those of two pieces", ids)
	}
}

// A kill leaves the files as they are at that moment: so does a copy.
func TestNothingAcknowledgedIsLostInAKill(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	defer closeIt(t, s)
	for round := range uint64(5) {
		say(t, s, round*20+1, round*20+20, "a", "b", "c")
		killed := copyOf(t, dir)
		again := openAt(t, killed)
		if st := again.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
			t.Errorf("after a kill: %+v", st)
		}
		wantWhole(t, drain(t, again), 1, round*20+20, "a", "b", "c")
		closeIt(t, again)
	}
}

// copyOf copies a spool's directory file by file, the newest last, as it is.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // a temporary file that is gone
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// What a torn tail or a flipped bit has destroyed is named, never silently
// missing; what is readable is delivered.
func TestDamageIsNamed(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 40, "a", "b")
	closeIt(t, s)
	block := filepath.Join("jetstream", "$G", "streams", "STENO_SPOOL", "msgs", "1.blk")
	whole, err := os.ReadFile(filepath.Join(dir, block))
	if err != nil {
		t.Fatal(err)
	}
	damage := func(name string, data []byte) {
		t.Helper()
		broken := copyOf(t, dir)
		if err := os.WriteFile(filepath.Join(broken, block), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := durable.Open(t.Context(), durable.Config{Dir: broken})
		if err != nil {
			return // refused with an error: that is a name too
		}
		defer closeIt(t, s)
		got := drain(t, s)
		if st := s.Stats(); len(got) < 80 && (uint64(80-len(got)) > st.Lost || len(st.Damage) == 0 || s.Health() == nil) {
			t.Errorf("%s: %d of 80 are there, and the spool says %+v, health %v", name, len(got), st, s.Health())
		}
		if a := s.Account(); a.Pending != uint64(len(got)) {
			t.Errorf("%s: %d pending in the account, %d read", name, a.Pending, len(got))
		}
		last := map[string]uint64{}
		for _, r := range got {
			if r.Seq <= last[r.Call] {
				t.Errorf("%s: call %s: %d after %d", name, r.Call, r.Seq, last[r.Call])
			}
			last[r.Call] = r.Seq
		}
	}
	for cut := 0; cut < len(whole); cut += len(whole)/7 + 1 {
		damage(fmt.Sprintf("cut at %d of %d", cut, len(whole)), whole[:cut])
		flipped := bytes.Clone(whole)
		flipped[cut] ^= 0x10
		damage(fmt.Sprintf("bit flipped at %d", cut), flipped)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	defer closeIt(t, s)
	_, err := durable.Open(t.Context(), durable.Config{Dir: dir})
	if !errors.Is(err, durable.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second Open = %v, want ErrHeld and process %d", err, os.Getpid())
	}
}

func TestNewerDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	closeIt(t, openAt(t, dir))
	if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte("999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.Open(t.Context(), durable.Config{Dir: dir}); !errors.Is(err, durable.ErrNewer) {
		t.Errorf("Open of a newer version's directory = %v, want ErrNewer", err)
	}
}

func TestEncryption(t *testing.T) {
	dir := t.TempDir()
	s, err := durable.Open(t.Context(), durable.Config{Dir: dir, Key: "a key"})
	if err != nil {
		t.Fatal(err)
	}
	say(t, s, 1, 5, "a")
	closeIt(t, s)
	if found := grep(t, dir, "the words of"); found != "" {
		t.Errorf("%s holds the text in the clear", found)
	}
	for _, key := range []string{"another", ""} {
		if s, err := durable.Open(t.Context(), durable.Config{Dir: dir, Key: key}); err == nil {
			t.Errorf("the key %q opens it", key)
			s.Close()
		}
	}
	s, err = durable.Open(t.Context(), durable.Config{Dir: dir, Key: "a key"})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	wantWhole(t, drain(t, s), 1, 5, "a")
}

// grep returns a file below dir that holds text; "" if there is none.
func grep(t testing.TB, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var data []byte
		if err == nil && !d.IsDir() {
			data, err = os.ReadFile(path)
		}
		if bytes.Contains(data, []byte(text)) {
			found = path
		}
		if errors.Is(err, fs.ErrNotExist) { // a segment that is being deleted
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openAt(t, dir)
	say(t, s, 1, 5, "a")
	closeIt(t, s)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v (%v), want 0700: it protects all below it", info.Mode().Perm(), err)
	}
}

// At the limit Append waits, Health says so, and settling makes room.
func TestFullSpoolWaitsForRoom(t *testing.T) {
	s, err := durable.Open(t.Context(), durable.Config{Dir: t.TempDir(), MaxBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	big := record("a", 1)
	big.Message = bytes.Repeat([]byte("x"), 20<<10)
	stored := 0
	for s.Health() == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		next := *big
		if err := appendWithin(ctx, s, &next); err == nil {
			stored++
		}
		cancel()
		if stored > 100 {
			t.Fatal("256 KiB hold more than a hundred times 20 KiB")
		}
	}
	blocked := make(chan error, 1)
	last := *big
	go func() { blocked <- s.Append(t.Context(), []*spool.Record{&last}) }()
	settle(t, s, drain(t, s), "")
	select {
	case err := <-blocked:
		if err != nil {
			t.Errorf("Append once there is room = %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("still full a minute after everything was settled")
	}
	if a := s.Account(); a.Accepted != a.Delivered+a.Pending {
		t.Errorf("account %+v does not balance", a)
	}
}

// appendWithin gives up waiting for an Append that is under way, not for its
// outcome: the account has it.
func appendWithin(ctx context.Context, s *durable.Spool, r *spool.Record) error {
	done := make(chan error, 1)
	go func() { done <- s.Append(context.WithoutCancel(ctx), []*spool.Record{r}) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// While something waits for longer than it may, Append waits and Health says so.
func TestTooOldHoldsBackWhatComes(t *testing.T) {
	s, err := durable.Open(t.Context(), durable.Config{Dir: t.TempDir(), MaxAge: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	old := record("a", 1)
	old.Received = time.Now().Add(-time.Hour)
	if err := s.Append(t.Context(), []*spool.Record{old}); err != nil {
		t.Fatal(err)
	}
	if err := s.Health(); err == nil || !strings.Contains(err.Error(), "longer than 1m0s") {
		t.Errorf("Health with an utterance of an hour ago = %v", err)
	}
	blocked := make(chan error, 1)
	go func() { blocked <- s.Append(t.Context(), []*spool.Record{record("b", 1)}) }()
	select {
	case err := <-blocked:
		t.Errorf("Append = %v, want it to wait", err)
	case <-time.After(100 * time.Millisecond):
	}
	settle(t, s, drain(t, s), "")
	select {
	case err := <-blocked:
		if err != nil {
			t.Errorf("Append once the old one is settled = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still held back 10 s after the old one was settled")
	}
	if err := s.Health(); err != nil {
		t.Errorf("Health = %v", err)
	}
}

// Looking at a damaged spool does not make the damage forgotten.
func TestInspectionChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 10, "a")
	closeIt(t, s)
	if err := os.Truncate(filepath.Join(dir, "jetstream", "$G", "streams", "STENO_SPOOL", "msgs", "1.blk"), 700); err != nil {
		t.Fatal(err)
	}
	for look := range 3 {
		s, err := durable.Open(t.Context(), durable.Config{Dir: dir, Inspect: look < 2})
		if err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Lost == 0 || len(st.Damage) == 0 {
			t.Errorf("look %d: %+v, want the damage named", look+1, st)
		}
		if err := s.Append(t.Context(), []*spool.Record{record("b", 1)}); (err == nil) != (look == 2) {
			t.Errorf("look %d: Append = %v", look+1, err)
		}
		closeIt(t, s)
	}
}
