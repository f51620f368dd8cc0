package durable_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// longAgo appends n records of each call that were received an hour ago, which
// is longer than a spool keeps what is settled.
func longAgo(t testing.TB, s spool.Spool, n uint64, calls ...string) {
	t.Helper()
	for i := uint64(1); i <= n; i++ {
		var group []*spool.Record
		for _, call := range calls {
			r := record(call, i)
			r.Received = time.Now().Add(-time.Hour)
			group = append(group, r)
		}
		if err := s.Append(t.Context(), group); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitErased waits until no file holds the text of any record of the call.
func awaitErased(t testing.TB, dir, call string) {
	t.Helper()
	patience := time.After(30 * time.Second)
	for {
		found := grep(t, dir, "the words of "+call+" ")
		if found == "" {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-patience:
			t.Fatalf("after 30 s %s still holds what call %s said", found, call)
		}
	}
}

// What is settled and was kept for long enough is in no file any more, in a
// spool that is far smaller than a block of JetStream's, too.
func TestSettledTextIsErased(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	defer closeIt(t, s)
	longAgo(t, s, 20, "a", "b")
	settle(t, s, drain(t, s), "")
	awaitErased(t, dir, "a")
	awaitErased(t, dir, "b")
	say(t, s, 21, 30, "a")
	wantWhole(t, drain(t, s), 21, 30, "a")
}

// That holds behind a call that waits, and in frames that it shares with
// others; live speech goes on meanwhile.
func TestSettledTextIsErasedBehindACallThatWaits(t *testing.T) {
	dir := t.TempDir()
	s, err := durable.Open(t.Context(), durable.Config{Dir: dir, Keep: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	longAgo(t, s, 5, "stuck")
	longAgo(t, s, 50, "a", "stuck-too", "b")
	for _, r := range drain(t, s) {
		if r.Call == "a" || r.Call == "b" {
			settle(t, s, []*spool.Record{r}, "")
		}
	}
	say(t, s, 1, 10, "live")
	if grep(t, dir, words("a", 7)) == "" {
		t.Fatal("the text is erased before it is due, or the test looks in the wrong place")
	}
	awaitErased(t, dir, "a")
	awaitErased(t, dir, "b")
	if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 || s.Health() != nil {
		t.Errorf("stats %+v, health %v: what we erase ourselves is no damage", st, s.Health())
	}
	closeIt(t, s)

	s = openAt(t, dir)
	defer closeIt(t, s)
	if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
		t.Errorf("stats after a restart %+v: what was erased is no damage", st)
	}
	of := map[string][]*spool.Record{}
	for _, r := range drain(t, s) {
		of[r.Call] = append(of[r.Call], r)
	}
	wantWhole(t, of["stuck"], 1, 5, "stuck")
	wantWhole(t, of["stuck-too"], 1, 50, "stuck-too")
	wantWhole(t, of["live"], 1, 10, "live")
	if len(of) != 3 {
		t.Errorf("read of the calls %v, want three", slices.Sorted(maps.Keys(of)))
	}
	back, err := s.Recover(t.Context())
	if err != nil || len(back.Streams) != 5 {
		t.Errorf("recovered the streams %+v (%v), want all five, erased or not", back.Streams, err)
	}
}

// A segment that was packed takes the old one's place only once it must be on
// the disk: with SyncInterval that is later, and until then the old one stays.
func TestPackingWaitsForTheDisk(t *testing.T) {
	dir := t.TempDir()
	open := func(synced time.Duration) *durable.Spool {
		s, err := durable.Open(t.Context(), durable.Synced(durable.Config{Dir: dir, Sync: durable.SyncInterval}, synced))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(time.Hour)
	say(t, s, 1, 20, "a")
	settle(t, s, drain(t, s)[:15], "")
	patience := time.After(30 * time.Second)
	for len(durable.Streams(t, s)) < 3 { // the old one, what was packed, and the current one
		durable.Tidy(s)
		select {
		case <-time.After(10 * time.Millisecond):
		case <-patience:
			t.Fatalf("after 30 s there are %v: nothing was packed", durable.Streams(t, s))
		}
	}
	during := durable.Streams(t, s)
	closeIt(t, s)

	s = open(time.Nanosecond)
	defer closeIt(t, s)
	if got := durable.Streams(t, s); len(got) != 2 || got[0] != during[0] {
		t.Errorf("there are %v after a restart, of %v: the old segment is gone", got, during)
	}
	wantWhole(t, drain(t, s), 16, 20, "a")
}

// Whatever is settled in whatever order, packed and opened anew: each call's
// records come once and in order, and nothing is called damaged.
func TestPackingKeepsWhatWaits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		open := func() *durable.Spool {
			s, err := durable.Open(t.Context(), durable.Synced(durable.Config{Dir: dir, Sync: durable.SyncInterval}, time.Nanosecond))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		defer func() { closeIt(t, s) }()
		said, waiting, owed := map[string]uint64{}, 0, []*spool.Record{}
		settled := map[string]bool{}
		calls := []string{"a", "b", "c", "d"}
		rt.Repeat(map[string]func(*rapid.T){
			"say": func(rt *rapid.T) {
				for range rapid.IntRange(1, 15).Draw(rt, "groups") {
					call := rapid.SampledFrom(calls).Draw(rt, "call")
					said[call]++
					waiting++
					if err := s.Append(t.Context(), []*spool.Record{record(call, said[call])}); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"read": func(rt *rapid.T) {
				buf := make([]*spool.Record, rapid.IntRange(1, 50).Draw(rt, "records"))
				if waiting > len(owed) {
					n, err := s.Read(t.Context(), buf)
					if err != nil {
						rt.Fatal(err)
					}
					owed = append(owed, buf[:n]...)
				}
			},
			"settle": func(rt *rapid.T) {
				for _, i := range slices.Backward(rapid.Permutation(owed).Draw(rt, "order")[:len(owed)/2]) {
					if err := s.Settle(spool.Settlement{Position: i.Position}); err != nil {
						rt.Fatal(err)
					}
					settled[i.MessageID] = true
					waiting--
				}
				owed = slices.DeleteFunc(owed, func(r *spool.Record) bool { return settled[r.MessageID] })
			},
			"tidy": func(*rapid.T) { durable.TidyNow(s) },
			"open anew": func(rt *rapid.T) {
				closeIt(t, s)
				s = open()
				owed = nil
			},
			"": func(rt *rapid.T) {
				if a := s.Account(); int(a.Pending) != waiting {
					rt.Fatalf("%d are pending, want %d", a.Pending, waiting)
				}
				if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
					rt.Fatalf("damage: %+v", st)
				}
			},
		})
		closeIt(t, s)
		s = open()
		wantRest(rt, drain(t, s), said, settled)
	})
}

// wantRest checks that rs are all that was said and not settled, in order.
func wantRest(rt *rapid.T, rs []*spool.Record, said map[string]uint64, settled map[string]bool) {
	rt.Helper()
	of := map[string][]string{}
	for _, r := range rs {
		of[r.Call] = append(of[r.Call], r.MessageID)
	}
	for call, n := range said {
		var want []string
		for i := uint64(1); i <= n; i++ {
			if id := fmt.Sprintf("%s/%d", call, i); !settled[id] {
				want = append(want, id)
			}
		}
		if !slices.Equal(of[call], want) {
			rt.Fatalf("call %s: read %v, want %v", call, of[call], want)
		}
	}
}

// The reader goes on in the new segment at once where the one that it was about
// to read was packed: while it waited nothing else would be read either.
func TestReaderOutlivesThePackingOfItsSegment(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	for n := uint64(1); n <= 20; n++ { // two pages
		r := record("a", n)
		r.Message = bytes.Repeat([]byte("x"), 100<<10)
		if err := s.Append(t.Context(), []*spool.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	first := drain100(t, s)
	settle(t, s, first[1:], "")
	if err := durable.FetchAcross(s, func() { durable.TidyNow(s) }); err != nil {
		t.Errorf("a page of a segment that was packed meanwhile: %v", err)
	}
	if got := drain(t, s); len(first)+len(got) != 20 || len(s.Stats().Damage) != 0 {
		t.Errorf("%d and %d are read, want 20: %+v", len(first), len(got), s.Stats())
	}
}

// A full spool gives back what is settled behind a call that waits.
func TestFullSpoolMakesRoomBehindACallThatWaits(t *testing.T) {
	s, err := durable.Open(t.Context(), durable.Config{Dir: t.TempDir(), MaxBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	say(t, s, 1, 1, "stuck")
	stuck := drain(t, s)
	big := func(n uint64) *spool.Record {
		r := record("a", n)
		r.Message = fmt.Appendf(nil, `{"content":"%0*d"}`, 20<<10, n)
		return r
	}
	for n := uint64(1); n <= 30; n++ {
		if err := s.Append(t.Context(), []*spool.Record{big(n)}); err != nil {
			t.Fatal(err)
		}
		settle(t, s, drain(t, s), "")
	}
	settle(t, s, stuck, "")
}

// A crash between the end of a packing and the deletion of the old segment
// leaves both; one within the deletion leaves the old one without its
// description.
func TestCrashWhileTheOldSegmentIsDeleted(t *testing.T) {
	f := func(described bool) {
		t.Helper()
		dir := t.TempDir()
		s := openAt(t, dir)
		say(t, s, 1, 20, "a", "b")
		for _, r := range drain(t, s) {
			if r.Call == "a" {
				settle(t, s, []*spool.Record{r}, "")
			}
		}
		old := filepath.Join("jetstream", "$G", "streams", "STENO_SPOOL")
		before := filepath.Join(copyOf(t, dir), old)
		durable.TidyNow(s)
		closeIt(t, s)
		if !described {
			if err := os.Remove(filepath.Join(before, "meta.inf")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.CopyFS(filepath.Join(dir, old), os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, dir)
		defer closeIt(t, s)
		awaitErased(t, dir, "a")
		wantWhole(t, drain(t, s), 1, 20, "b")
		if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
			t.Errorf("stats %+v, want no damage", st)
		}
	}
	f(true)
	f(false)
}

// A segment whose description is damaged is not taken for one that never was.
func TestSegmentThatIsNotFoundIsDamage(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	say(t, s, 1, 5, "a")
	settle(t, s, drain(t, s)[:2], "")
	durable.TidyNow(s)
	say(t, s, 6, 9, "a")
	closeIt(t, s)
	found, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", "STENO_SPOOL_*_0", "meta.inf"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the current segment is %v, %v", found, err)
	}
	if err := os.WriteFile(found[0], []byte("not this"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := durable.Open(t.Context(), durable.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Open = %v, want an error about the damage", err)
		if err == nil {
			closeIt(t, s)
		}
	}
}

// What waits is found where few of many wait in each frame: a frame that falls
// apart when it is packed takes no sequence of the segment behind.
func TestPackingASparseFrameLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	var group []*spool.Record
	for n := range uint64(1000) {
		r := record("a", n+1)
		if n%40 == 0 {
			r = record("stuck", n/40+1)
		}
		r.Received = time.Now().Add(-time.Hour)
		group = append(group, r)
	}
	if err := s.Append(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	for _, r := range drain(t, s) {
		if r.Call == "a" {
			settle(t, s, []*spool.Record{r}, "")
		}
	}
	durable.TidyNow(s)
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	say(t, s, 1, 5, "live")
	of := map[string][]*spool.Record{}
	for _, r := range drain(t, s) {
		of[r.Call] = append(of[r.Call], r)
	}
	wantWhole(t, of["stuck"], 1, 25, "stuck")
	wantWhole(t, of["live"], 1, 5, "live")
	if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
		t.Errorf("stats %+v, want no damage", st)
	}
}

// A segment that was made, and its maker told of a time-out, hides none of the
// frames that went on to come into the one before.
func TestSegmentOfALostRollHidesNothing(t *testing.T) {
	f := func(isLast bool) {
		t.Helper()
		dir := t.TempDir()
		s := openAt(t, dir)
		say(t, s, 1, 5, "a")
		durable.LoseARoll(t, s)
		say(t, s, 6, 15, "a")
		if !isLast {
			durable.StopStore(s) // which brings another one
		}
		say(t, s, 16, 20, "a")
		settle(t, s, drain(t, s)[:10], "")
		closeIt(t, s)
		s = openAt(t, dir)
		say(t, s, 21, 22, "a")
		closeIt(t, s)
		s = openAt(t, dir)
		defer closeIt(t, s)
		wantWhole(t, drain(t, s), 11, 22, "a")
		if st := s.Stats(); len(st.Damage) != 0 {
			t.Errorf("stats %+v, want no damage", st)
		}
	}
	f(true)
	f(false)
}
