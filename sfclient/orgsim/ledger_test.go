package orgsim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"example.com/steno/sfclient/orgsim"
)

func TestCompare(t *testing.T) {
	f := func(want, stored string, lost, duplicated, outOfOrder, unexpected int) {
		t.Helper()
		led := orgsim.Ledger{Calls: map[string]orgsim.Call{"k": {MessageIDs: strings.Fields(stored)}}}
		got := led.Compare(map[string][]string{"k": strings.Fields(want)})
		if got.Lost != lost || got.Duplicated != duplicated || got.OutOfOrder != outOfOrder || got.Unexpected != unexpected {
			t.Errorf("want %q, stored %q: got %+v", want, stored, got)
		}
		if faults := lost + duplicated + outOfOrder + unexpected; len(got.Examples) != min(faults, 10) || got.Clean() != (faults == 0) {
			t.Errorf("want %q, stored %q: %d differences, clean %v, examples %v", want, stored, faults, got.Clean(), got.Examples)
		}
	}
	f("a b c", "a b c", 0, 0, 0, 0)
	f("a b c", "a c", 1, 0, 0, 0)
	f("a b c", "", 3, 0, 0, 0)
	f("a b c", "a b b c", 0, 1, 0, 0)
	f("a b c", "a c b", 0, 0, 1, 0)
	f("a b c", "c a b", 0, 0, 2, 0)
	f("a b c", "a b c a", 0, 1, 0, 0)
	f("a b c", "a x b c x", 0, 1, 0, 1)
	f("", "1 2 3 4 5 6 7 8 9 10 11 12", 0, 0, 0, 12)

	led := orgsim.Ledger{Calls: map[string]orgsim.Call{"uncalled": {MessageIDs: []string{"m1"}}}}
	got := led.Compare(map[string][]string{"silent": {"m1", "m2"}})
	if got.Lost != 2 || got.Unexpected != 1 || got.Wanted != 2 {
		t.Errorf("other calls: got %+v, want 2 of 2 lost, 1 unexpected", got)
	}
}

// A snapshot does not change when the org goes on.
func TestLedgerIsSnapshot(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true})
	c.bulk("k m1")
	before := c.org.Ledger()
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	c.bulk("k m2", "l m1")
	c.org.End("k")
	after, err := json.Marshal(before)
	if err != nil || string(after) != string(text) {
		t.Errorf("the snapshot changed:\n%s\n%s (%v)", text, after, err)
	}
}

func TestIDsOnly(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, IDsOnly: true})
	c.bulk("k m1 m2")
	call := c.org.Ledger().Calls["k"]
	if len(call.Messages) != 0 || strings.Join(call.MessageIDs, " ") != "m1 m2" {
		t.Errorf("got messages %v, ids %v; want none, [m1 m2]", call.Messages, call.MessageIDs)
	}
}

// The org is used by many at once; with -race.
func TestConcurrentUse(t *testing.T) {
	c := newClient(t, orgsim.Config{MakeCalls: true, DailyLimit: 1 << 30, LimitInfo: true})
	events, stop := c.org.Watch(1)
	defer stop()
	want := map[string][]string{}
	var wg sync.WaitGroup
	for i := range 8 {
		key := fmt.Sprint("k", i)
		for j := range 50 {
			want[key] = append(want[key], fmt.Sprint("m", j))
		}
		wg.Go(func() {
			for j := range 50 {
				c.bulk(fmt.Sprintf("%s m%d", key, j))
				c.org.Hold(key, false)
				_ = c.org.Ledger()
			}
		})
	}
	wg.Wait()
	led := c.org.Ledger()
	if cmp := led.Compare(want); !cmp.Clean() {
		t.Errorf("compare: %+v", cmp)
	}
	// The one event that there was room for, and the count of the others.
	if len(events) != 1 || led.Unseen != 399 {
		t.Errorf("feed: %d events and %d unseen, want 1 and 399", len(events), led.Unseen)
	}
}
