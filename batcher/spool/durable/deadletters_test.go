package durable_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// reject rejects what is there, and waits until the letters are on the disk.
func reject(t testing.TB, s *durable.Spool, rs []*spool.Record) {
	t.Helper()
	before := len(letters(t, s))
	rejectUnkept(t, s, rs)
	awaitThat(t, "the letters are kept", func() bool { return len(letters(t, s)) == before+len(rs) })
}

func rejectUnkept(t testing.TB, s *durable.Spool, rs []*spool.Record) {
	t.Helper()
	for _, r := range rs {
		d := &spool.DeadLetter{Record: *r, Reason: "invalid", Words: "400 no to " + string(r.Message), Attempts: 2, Rejected: time.Now()}
		if err := s.Settle(spool.Settlement{Position: r.Position, Rejected: "invalid", Dead: d}); err != nil {
			t.Fatal(err)
		}
	}
}

// letters are those that are kept, as call/seq or by their damage.
func letters(t testing.TB, s *durable.Spool) (all []string) {
	t.Helper()
	for d, err := range s.DeadLetters().List(t.Context(), spool.LetterFilter{}) {
		switch {
		case errors.Is(err, spool.ErrDamaged):
			all = append(all, "damaged")
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, d.Record.MessageID)
		}
	}
	return all
}

// awaitThat polls, since a server has no other way to tell.
func awaitThat(t testing.TB, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-patience.C:
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}

// stream is where JetStream keeps one of the spool's streams.
func stream(dir, name string) string { return filepath.Join(dir, "jetstream", "$G", "streams", name) }

// mixed is a copy of dir in which one stream is as it was in an older copy:
// what a crash leaves that came between the writes of two streams.
func mixed(t testing.TB, dir, older, name string) string {
	t.Helper()
	to := copyOf(t, dir)
	if err := os.RemoveAll(stream(to, name)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(stream(to, name), os.DirFS(stream(older, name))); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestDeadLettersOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 3, "a", "b")
	reject(t, s, drain(t, s)[:5])
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	if got := fmt.Sprint(letters(t, s)); got != "[a/1 b/1 a/2 b/2 a/3]" {
		t.Errorf("letters %v", got)
	}
	if got := drain(t, s); len(got) != 1 || got[0].MessageID != "b/3" {
		t.Errorf("waiting are %+v, want b/3", got)
	}
	if k := s.DeadLetters().Kept(); k.Letters != 5 || k.Bytes == 0 {
		t.Errorf("kept %+v, want 5", k)
	}
}

// A crash between a letter and the note of it neither sends the utterance again
// nor keeps it twice.
func TestLetterWithoutItsNoteIsProofEnough(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 700, "a")
	rs := drain(t, s)
	reject(t, s, rs[:3]) // noted
	closeIt(t, s)
	before := copyOf(t, dir)
	s = openAt(t, dir)
	reject(t, s, drain(t, s)[:600]) // more than are looked at together
	closeIt(t, s)

	s = openAt(t, mixed(t, dir, before, "STENO_SETTLED"))
	defer closeIt(t, s)
	got := drain(t, s)
	if len(got) != 97 || got[0].MessageID != "a/604" {
		t.Errorf("%d are waiting from %s on, want 97 from a/604 on", len(got), got[0].MessageID)
	}
	if a := s.Account(); a.Accepted != 97 || a.Pending != 97 {
		t.Errorf("account %+v, want 97 pending", a)
	}
	if n := len(letters(t, s)); n != 603 {
		t.Errorf("%d letters, want 603", n)
	}
	if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
		t.Errorf("stats %+v, want no damage", st)
	}
}

// A crash before the letter is written leaves an utterance that waits.
func TestRejectionWithoutItsLetterHappensAgain(t *testing.T) {
	url := jetStream(t)
	s, err := durable.Open(t.Context(), durable.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	say(t, s, 1, 3, "a")
	refuseLetters(t, url)
	rejectUnkept(t, s, drain(t, s)[:2])
	if a := s.Account(); a.Accepted != 3 || a.Rejected["invalid"] != 2 || a.Pending != 1 {
		t.Errorf("account %+v, want 3 = 2 rejected + 1 pending", a)
	}
	awaitThat(t, "health says so", func() bool {
		err := s.Health()
		return err != nil && strings.Contains(err.Error(), "cannot keep dead letters")
	})
	if a := s.Account(); a.Oldest.IsZero() {
		t.Error("nothing is oldest, and one is pending")
	}
	closeIt(t, s)

	s, err = durable.Open(t.Context(), durable.Config{URL: url}) // which lifts the limit
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	rs := drain(t, s)
	wantWhole(t, rs, 1, 3, "a")
	refuseLetters(t, url)
	rejectUnkept(t, s, rs)
	awaitThat(t, "health says so again", func() bool { return s.Health() != nil })
	limitLetters(t, url, -1)
	awaitThat(t, "the letters are kept once there is room", func() bool { return len(letters(t, s)) == 3 && s.Health() == nil })
}

// refuseLetters leaves the dead letters no room.
func refuseLetters(t testing.TB, url string) { limitLetters(t, url, 1) }

func limitLetters(t testing.TB, url string, bytes int64) {
	t.Helper()
	c, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	at, err := js.Stream(t.Context(), "STENO_DEADLETTERS")
	if err != nil {
		t.Fatal(err)
	}
	cfg := at.CachedInfo().Config
	cfg.MaxBytes = bytes
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// A crash between the two steps of a retry leaves the utterance once.
func TestRetryThatWasCutShortIsFinished(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 4, "a")
	reject(t, s, drain(t, s))
	closeIt(t, s)
	before := copyOf(t, dir)
	s = openAt(t, dir)
	if n, err := s.DeadLetters().Retry(t.Context(), 2, 3); n != 2 || err != nil {
		t.Fatalf("Retry = %d, %v", n, err)
	}
	closeIt(t, s)

	cut := mixed(t, dir, before, "STENO_DEADLETTERS")
	s, err := durable.Open(t.Context(), durable.Config{Dir: cut, Inspect: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(letters(t, s)); n != 4 {
		t.Errorf("to who only looks there are %d letters, want 4: nothing is changed", n)
	}
	if _, err := s.DeadLetters().Drop(t.Context(), 1); err == nil {
		t.Error("Drop of a spool that is only looked at returned no error")
	}
	closeIt(t, s)
	s = openAt(t, cut)
	defer closeIt(t, s)
	if got := fmt.Sprint(letters(t, s)); got != "[a/1 a/4]" {
		t.Errorf("letters %v, want those that were not retried", got)
	}
	if got := drain(t, s); len(got) != 2 || got[0].MessageID != "a/2" || got[1].MessageID != "a/3" {
		t.Errorf("waiting are %+v, want a/2 and a/3", got)
	}
}

// A letter that cannot be read is named and hides none of its neighbours.
func TestDamagedLettersAreNamed(t *testing.T) {
	url := jetStream(t)
	s, err := durable.Open(t.Context(), durable.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	say(t, s, 1, 1, "a")
	reject(t, s, drain(t, s))
	c, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Request("steno.dead.p0", []byte("STNL\x01 and what is no letter"), time.Second); err != nil {
		t.Fatal(err)
	}
	say(t, s, 2, 2, "a")
	rejectUnkept(t, s, drain(t, s))
	awaitThat(t, "a/2 is kept", func() bool { return fmt.Sprint(letters(t, s)) == "[a/1 damaged a/2]" })
	if _, err := s.DeadLetters().Get(t.Context(), 2); !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("Get of a damaged letter = %v", err)
	}
	if n, err := s.DeadLetters().Retry(t.Context(), 1, 2, 3); n != 2 || !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("Retry = %d, %v, want 2 and an error about the damaged one", n, err)
	}
	if n, err := s.DeadLetters().Drop(t.Context(), 2); n != 1 || err != nil {
		t.Errorf("Drop of a damaged letter = %d, %v", n, err)
	}
}

// What is dropped is not on the disk any more: a few at once, and all.
func TestDroppedTextLeavesTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	defer closeIt(t, s)
	say(t, s, 1, 300, "a")
	reject(t, s, drain(t, s))
	text := func(n uint64) string { return grep(t, stream(dir, "STENO_DEADLETTERS"), words("a", n)+`"`) }
	if text(7) == "" || text(300) == "" {
		t.Fatal("the letters are not where this test looks")
	}
	if n, err := s.DeadLetters().Drop(t.Context(), 7, 300); n != 2 || err != nil {
		t.Fatalf("Drop = %d, %v", n, err)
	}
	if text(7) != "" || text(300) != "" {
		t.Errorf("dropped text is still in %q %q", text(7), text(300))
	}
	if text(8) == "" {
		t.Error("so is its neighbour's")
	}
	var all []spool.LetterID
	for d := range s.DeadLetters().List(t.Context(), spool.LetterFilter{}) {
		all = append(all, d.ID)
	}
	if n, err := s.DeadLetters().Drop(t.Context(), all...); n != 298 || err != nil {
		t.Fatalf("Drop = %d, %v", n, err)
	}
	if found := grep(t, stream(dir, "STENO_DEADLETTERS"), "the words of"); found != "" {
		t.Errorf("nothing is kept, and %s still holds text", found)
	}
}

func TestDeadLettersAreEncrypted(t *testing.T) {
	dir := t.TempDir()
	s, err := durable.Open(t.Context(), durable.Config{Dir: dir, Key: "a key"})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	say(t, s, 1, 5, "a")
	reject(t, s, drain(t, s))
	if n, err := s.DeadLetters().Drop(t.Context(), 2); n != 1 || err != nil {
		t.Fatalf("Drop = %d, %v", n, err)
	}
	if found := grep(t, dir, "the words of"); found != "" {
		t.Errorf("%s holds the text in the clear", found)
	}
}

// The letters' stream is missed where it was made, and made where the directory
// is of a version that had none.
func TestMissingLettersAreNoticed(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 5, "a")
	reject(t, s, drain(t, s))
	closeIt(t, s)
	if err := os.RemoveAll(stream(dir, "STENO_DEADLETTERS")); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.Open(t.Context(), durable.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "STENO_DEADLETTERS") {
		t.Errorf("Open without the letters' stream = %v, want it named", err)
	}
	version := filepath.Join(dir, "VERSION")
	written, err := os.ReadFile(version)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, []byte(strings.Replace(string(written), "letters\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	closeIt(t, openAt(t, dir))
}

// What JetStream itself has lost is named too, by how many or by their numbers.
func TestLostLettersAreNamed(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 40, "a")
	reject(t, s, drain(t, s))
	if n, err := s.DeadLetters().Drop(t.Context(), 3, 40); n != 2 || err != nil {
		t.Fatalf("Drop = %d, %v", n, err)
	}
	closeIt(t, s)
	block := filepath.Join("STENO_DEADLETTERS", "msgs", "1.blk")
	whole, err := os.ReadFile(stream(dir, block))
	if err != nil {
		t.Fatal(err)
	}
	damage := func(name string, data []byte) {
		t.Helper()
		broken := copyOf(t, dir)
		if err := os.WriteFile(stream(broken, block), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := durable.Open(t.Context(), durable.Config{Dir: broken})
		if err != nil {
			return // refused with an error: that is a name too
		}
		defer closeIt(t, s)
		got := letters(t, s)
		if whole := len(got) == 38 && !strings.Contains(fmt.Sprint(got), "damaged"); !whole && !strings.Contains(fmt.Sprint(got), "damaged") && s.Health() == nil {
			t.Errorf("%s: %d of 38 letters are there, and nobody says so", name, len(got))
		}
		if len(got) > 39 {
			t.Errorf("%s: %d letters of 38", name, len(got))
		}
	}
	for cut := 0; cut < len(whole); cut += len(whole)/7 + 1 {
		damage(fmt.Sprintf("cut at %d of %d", cut, len(whole)), whole[:cut])
		flipped := bytes.Clone(whole)
		flipped[cut] ^= 0x10
		damage(fmt.Sprintf("bit flipped at %d", cut), flipped)
	}
}

// While letters cannot be written nothing further is read, so that their number
// in memory is bounded; once they can, everything goes on.
func TestNothingIsReadWhileTooManyLettersWait(t *testing.T) {
	if testing.Short() {
		t.Skip("rejects ten thousand utterances")
	}
	url := jetStream(t)
	s, err := durable.Open(t.Context(), durable.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	refuseLetters(t, url)
	const all, atMost = 10_500, 10_000
	for n := range uint64(all / 500) {
		var group []*spool.Record
		for i := range uint64(500) {
			group = append(group, record("a", n*500+i+1))
		}
		if err := s.Append(t.Context(), group); err != nil {
			t.Fatal(err)
		}
	}
	rejected := 0
	readAndReject := func() {
		for rs := drain100(t, s); len(rs) > 0; rs = drain100(t, s) {
			rejectUnkept(t, s, rs)
			rejected += len(rs)
		}
	}
	readAndReject()
	if rejected != atMost {
		t.Errorf("%d were read and rejected, want %d", rejected, atMost)
	}
	limitLetters(t, url, -1)
	awaitThat(t, "all are rejected", func() bool { readAndReject(); return rejected == all })
	awaitThat(t, "all letters are kept", func() bool { return s.DeadLetters().Kept().Letters == all })
	if a := s.Account(); a.Accepted != all || a.Rejected["invalid"] != all || a.Pending != 0 {
		t.Errorf("account %+v, want %d rejected", a, all)
	}
}

// drain100 reads at most a hundred of what is there.
func drain100(t testing.TB, s spool.Spool) []*spool.Record {
	t.Helper()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	buf := make([]*spool.Record, 100)
	n, err := s.Read(done, buf)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return buf[:n]
}
