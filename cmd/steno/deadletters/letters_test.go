package deadletters_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/deadletters"
)

func five(t *testing.T) spool.DeadLetters {
	return kept(t, letter("b", 5000, "invalid"), letter("a", 3000, "paused"), letter("a", 1000, "invalid"),
		letter("b", 4000, "invalid"), letter("a", 2000, "paused")).DeadLetters()
}

func TestListAndShow(t *testing.T) {
	bothWays(t, five, func(t *testing.T, l deadletters.Letters) {
		f := func(f deadletters.Filter, want string) {
			t.Helper()
			if got := fmt.Sprint(ids(t, l, f)); got != want {
				t.Errorf("%+v lets %s through, want %s", f, got, want)
			}
		}
		f(deadletters.Filter{}, "[1 2 3 4 5]")
		f(deadletters.Filter{Call: "a"}, "[2 3 5]")
		f(deadletters.Filter{Call: "a", Reason: "paused"}, "[2 5]")
		f(deadletters.Filter{Org: "x"}, "[]")
		f(deadletters.Filter{Since: time.UnixMilli(4300)}, "[1 4]")

		var listed deadletters.Shown
		if err := l.List(t.Context(), deadletters.Filter{Call: "b"}, func(d deadletters.Shown) error { listed = d; return nil }); err != nil {
			t.Fatal(err)
		}
		want := deadletters.Shown{
			ID: 4, Call: "b", MessageID: "b/4000", Reason: "invalid", Attempts: 2,
			Received: time.UnixMilli(4100).UTC(), Sent: time.UnixMilli(4200).UTC(), Rejected: time.UnixMilli(4300).UTC(),
		}
		if !reflect.DeepEqual(listed, want) {
			t.Errorf("listed is %+v, want %+v: no text", listed, want)
		}
		d, err := l.Show(t.Context(), "", 4)
		if err != nil || d.Words != "400: no to the secret words" || !strings.Contains(string(d.Message), "the secret words <of> b/4000") {
			t.Errorf("shown is %+v, %v, want it whole", d, err)
		}
		if _, err := l.Show(t.Context(), "", 9); err == nil || !strings.Contains(err.Error(), "no such dead letter: 9") {
			t.Errorf("Show of what is not there = %v", err)
		}
		stop := errors.New("enough")
		if err := l.List(t.Context(), deadletters.Filter{}, func(deadletters.Shown) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("a list that is stopped = %v", err)
		}
	})
}

func TestChange(t *testing.T) {
	f := func(act deadletters.Act, s deadletters.Selection, want int, left string) {
		t.Helper()
		bothWays(t, five, func(t *testing.T, l deadletters.Letters) {
			t.Helper()
			n, err := l.Change(t.Context(), act, s)
			if got := fmt.Sprint(ids(t, l, deadletters.Filter{})); n != want || err != nil || got != left {
				t.Errorf("%s %+v = %d, %v and leaves %s, want %d and %s", act, s, n, err, got, want, left)
			}
		})
	}
	f(deadletters.Drop, deadletters.Selection{IDs: []uint64{2, 3, 99}}, 2, "[1 4 5]")
	f(deadletters.Retry, deadletters.Selection{IDs: []uint64{1}}, 1, "[2 3 4 5]")
	f(deadletters.Drop, deadletters.Selection{Filter: deadletters.Filter{Reason: "paused"}}, 2, "[1 3 4]")
	f(deadletters.Retry, deadletters.Selection{Filter: deadletters.Filter{Call: "a"}}, 3, "[1 4]")
	f(deadletters.Retry, deadletters.Selection{All: true}, 5, "[]")
	f(deadletters.Drop, deadletters.Selection{Filter: deadletters.Filter{Call: "nobody's"}}, 0, "[1 2 3 4 5]")
}

func TestChangeByFilterTakesAsManyAsThereAre(t *testing.T) {
	var many []spool.DeadLetter
	for i := range 1201 {
		many = append(many, letter("a", int64(i+1), "invalid"))
	}
	s := kept(t, many...)
	told := 0
	l := &deadletters.Local{Spool: s.DeadLetters(), Changed: func(act deadletters.Act, n int) {
		if act != deadletters.Retry {
			t.Errorf("told of %s", act)
		}
		told += n
	}}
	if n, err := l.Change(t.Context(), deadletters.Retry, deadletters.Selection{All: true}); n != 1201 || told != n || err != nil {
		t.Errorf("retried %d, %v, told of %d, want 1201", n, err, told)
	}
	if a := s.Account(); a.Pending != 1201 {
		t.Errorf("%d pending", a.Pending)
	}
}

func TestSelectionFaults(t *testing.T) {
	f := func(s deadletters.Selection) {
		t.Helper()
		bothWays(t, five, func(t *testing.T, l deadletters.Letters) {
			n, err := l.Change(t.Context(), deadletters.Drop, s)
			if n != 0 || err == nil || !strings.Contains(err.Error(), "which dead letters?") || len(ids(t, l, deadletters.Filter{})) != 5 {
				t.Errorf("%+v = %d, %v, want it refused", s, n, err)
			}
		})
	}
	f(deadletters.Selection{})
	f(deadletters.Selection{IDs: []uint64{1}, All: true})
	f(deadletters.Selection{IDs: []uint64{1}, Filter: deadletters.Filter{Call: "a"}})
	f(deadletters.Selection{All: true, Filter: deadletters.Filter{Call: "a"}})
	f(deadletters.Selection{IDs: make([]uint64, 10_001)})
	bothWays(t, five, func(t *testing.T, l deadletters.Letters) {
		if n, err := l.Change(t.Context(), "bury", deadletters.Selection{All: true}); n != 0 || err == nil {
			t.Errorf("an unknown act = %d, %v", n, err)
		}
	})
}

// The order of an upload is its conversations', and in each that of speech.
func TestExport(t *testing.T) {
	bothWays(t, five, func(t *testing.T, l deadletters.Letters) {
		f := func(f deadletters.Filter, want ...string) {
			t.Helper()
			var out strings.Builder
			if err := l.Export(t.Context(), f, &out); err != nil {
				t.Fatal(err)
			}
			if got := strings.Split(strings.TrimSpace(out.String()), "\n"); !reflect.DeepEqual(got, want) {
				t.Errorf("%+v exports\n%s\nwant\n%s", f, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		head := func(call string) string { return `{"type":"conversation","payload":{"conversationId":"` + call + `"}}` }
		entry := func(call string, start int) string {
			return fmt.Sprintf(`{"type":"conversationEntry","payload":{"conversationId":%q,"id":"%[1]s/%[2]d","clientSentTimestamp":%[2]d,"clientDuration":50,`+
				`"messageText":"the secret words <of> %[1]s/%[2]d","sender":{"appType":"TELEPHONY_INTEGRATION","subject":"%[1]sEND_USER","role":"CUSTOMER"}}}`, call, start)
		}
		f(deadletters.Filter{}, head("a"), entry("a", 1000), entry("a", 2000), entry("a", 3000), head("b"), entry("b", 4000), entry("b", 5000))
		f(deadletters.Filter{Call: "b"}, head("b"), entry("b", 4000), entry("b", 5000))
		f(deadletters.Filter{Call: "nobody's"}, "")
		if n := len(ids(t, l, deadletters.Filter{})); n != 5 {
			t.Errorf("%d letters are left, want all five", n)
		}
	})
}

func TestExportNamesWhoSpoke(t *testing.T) {
	agent := letter("a", 1, "invalid")
	agent.Record.Message = []byte(`{"startTime":1,"endTime":1,"participantId":"005xx","messageId":"m","senderType":"HUMAN_AGENT","content":"x"}`)
	var out strings.Builder
	l := &deadletters.Local{Spool: kept(t, agent).DeadLetters()}
	if err := l.Export(t.Context(), deadletters.Filter{}, &out); err != nil || !strings.Contains(out.String(), `"subject":"005xx","role":"AGENT"`) {
		t.Errorf("an agent's line is %s (%v)", out.String(), err)
	}
}

// Letters that cannot be read are named, and hide none of the others.
func TestDamagedLettersHideNobody(t *testing.T) {
	damaged := func(t *testing.T) spool.DeadLetters {
		text := letter("a", 2500, "invalid")
		text.Record.Message = []byte("no JSON, but secret")
		s := kept(t, letter("a", 1000, "invalid"), letter("a", 2000, "invalid"), text, letter("a", 3000, "invalid"))
		return broken{s.DeadLetters(), map[spool.LetterID]bool{2: true}}
	}
	named := func(t *testing.T, err error, want ...string) {
		t.Helper()
		if !errors.Is(err, deadletters.ErrDamaged) || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v, want one that is ErrDamaged and quotes nothing", err)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q, want it to name %q", err, w)
			}
		}
	}
	bothWays(t, damaged, func(t *testing.T, l deadletters.Letters) {
		n := 0
		named(t, l.List(t.Context(), deadletters.Filter{}, func(deadletters.Shown) error { n++; return nil }), ": 2:")
		if n != 3 {
			t.Errorf("%d are listed, want 3", n)
		}
		var out strings.Builder
		named(t, l.Export(t.Context(), deadletters.Filter{}, &out), ": 2:", ": 3:")
		if lines := strings.Count(out.String(), "\n"); lines != 3 {
			t.Errorf("%d lines are exported, want a head and two", lines)
		}
		n, err := l.Change(t.Context(), deadletters.Drop, deadletters.Selection{All: true})
		if named(t, err, ": 2:"); n != 3 {
			t.Errorf("%d are dropped, want 3", n)
		}
	})
}

// million yields as many letters and remembers none.
type million struct {
	spool.DeadLetters
	one spool.DeadLetter
	at  func(i int)
}

func (m million) List(context.Context, spool.LetterFilter) iter.Seq2[spool.DeadLetter, error] {
	return func(yield func(spool.DeadLetter, error) bool) {
		for i := range 1_000_000 {
			m.at(i)
			m.one.ID = spool.LetterID(i + 1)
			if !yield(m.one, nil) {
				return
			}
		}
	}
}

// A million letters are listed and selected in the memory of a few.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("lists a million letters")
	}
	var before, most uint64
	watch := func(i int) {
		if i%250_000 != 0 {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if before == 0 {
			before = m.HeapAlloc
		}
		most = max(most, m.HeapAlloc)
	}
	l := &deadletters.Local{Spool: million{kept(t).DeadLetters(), letter("a", 1, "invalid"), watch}}
	lines, n := json.NewEncoder(io.Discard), 0
	if err := l.List(t.Context(), deadletters.Filter{}, func(d deadletters.Shown) error { n++; return lines.Encode(d) }); err != nil || n != 1_000_000 {
		t.Errorf("listed %d, %v", n, err)
	}
	if _, err := l.Change(t.Context(), deadletters.Drop, deadletters.Selection{All: true}); err != nil {
		t.Error(err)
	}
	if grew := int64(most - before); grew > 4<<20 {
		t.Errorf("a million letters took %d bytes", grew)
	}
}
