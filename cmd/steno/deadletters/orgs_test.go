package deadletters_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/steno/batcher/spool"
	"example.com/steno/cmd/steno/deadletters"
)

// Each org numbers its own letters: a number, a change and an export without an
// org are refused, and nothing reaches another org's.
func TestOrgs(t *testing.T) {
	a := kept(t, letter("x", 1, "invalid"), letter("y", 2, "paused"))
	b := kept(t, letter("x", 1, "paused"))
	l := deadletters.Orgs(func() []deadletters.Org {
		return []deadletters.Org{{"a", &deadletters.Local{Spool: a.DeadLetters()}}, {"b", &deadletters.Local{Spool: b.DeadLetters()}}}
	})
	bothWaysOf(t, func(*testing.T) deadletters.Letters { return l }, func(t *testing.T, l deadletters.Letters) {
		list := func(f deadletters.Filter) (all string) {
			t.Helper()
			if err := l.List(t.Context(), f, func(d deadletters.Shown) error {
				all += fmt.Sprintf("%s%d ", d.Org, d.ID)
				return nil
			}); err != nil {
				t.Error(err)
			}
			return all
		}
		if got := list(deadletters.Filter{}); got != "a1 a2 b1 " {
			t.Errorf("all: %s", got)
		}
		if got := list(deadletters.Filter{Org: "b"}); got != "b1 " {
			t.Errorf("b's: %s", got)
		}
		if got := list(deadletters.Filter{Reason: "paused"}); got != "a2 b1 " {
			t.Errorf("paused: %s", got)
		}
		if d, err := l.Show(t.Context(), "b", 1); err != nil || d.Org != "b" || d.Reason != "paused" {
			t.Errorf("b's first: %+v, %v", d, err)
		}
		refused := func(err error, want string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want it to say %q", err, want)
			}
		}
		_, err := l.Show(t.Context(), "", 1)
		refused(err, "Name the org")
		_, err = l.Show(t.Context(), "c", 1)
		refused(err, `no org "c"`)
		_, err = l.Show(t.Context(), "b", 2)
		refused(err, "no such dead letter")
		refused(l.Export(t.Context(), deadletters.Filter{}, &strings.Builder{}), "Name the org")
		var upload strings.Builder
		if err := l.Export(t.Context(), deadletters.Filter{Org: "b"}, &upload); err != nil || strings.Count(upload.String(), `"type":"conversation"`) != 1 {
			t.Errorf("b's export: %v, %s", err, upload.String())
		}
		_, err = l.Change(t.Context(), deadletters.Drop, deadletters.Selection{All: true})
		refused(err, "Name the org")
		_, err = l.Change(t.Context(), deadletters.Drop, deadletters.Selection{IDs: []uint64{1}})
		refused(err, "Name the org")
	})
	f := func(s deadletters.Selection, want int, leftA, leftB uint64) {
		t.Helper()
		n, err := l.Change(t.Context(), deadletters.Drop, s)
		if err != nil || n != want || a.DeadLetters().Kept().Letters != leftA || b.DeadLetters().Kept().Letters != leftB {
			t.Errorf("%+v drops %d, %v, and leaves %d and %d", s, n, err, a.DeadLetters().Kept().Letters, b.DeadLetters().Kept().Letters)
		}
	}
	f(deadletters.Selection{IDs: []uint64{1}, Filter: deadletters.Filter{Org: "a"}}, 1, 1, 1)
	f(deadletters.Selection{Filter: deadletters.Filter{Org: "a", Reason: "invalid"}}, 0, 1, 1)
	f(deadletters.Selection{Filter: deadletters.Filter{Org: "b"}}, 1, 1, 0)
	f(deadletters.Selection{All: true, Filter: deadletters.Filter{Org: "a"}}, 1, 0, 0)
}

// Of a single org, a number that is named with an org must be that org's.
func TestNumbersOfAnOrg(t *testing.T) {
	named := letter("x", 1, "invalid")
	named.Record.Org = "acme"
	l := &deadletters.Local{Spool: kept(t, named, letter("y", 2, "invalid")).DeadLetters()}
	if _, err := l.Show(t.Context(), "acme", 2); !errors.Is(err, spool.ErrNoLetter) {
		t.Errorf("Show of another org's: %v", err)
	}
	n, err := l.Change(t.Context(), deadletters.Drop, deadletters.Selection{IDs: []uint64{1, 2}, Filter: deadletters.Filter{Org: "acme"}})
	if err != nil || n != 1 {
		t.Errorf("dropped %d, %v, want the one of acme", n, err)
	}
}
