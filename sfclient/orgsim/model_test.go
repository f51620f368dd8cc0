package orgsim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/steno/sfclient/orgsim"
	"pgregory.net/rapid"
)

// model is the org's rules once more, slow and obvious: what each call has
// stored, and what became of every message that was sent.
type model struct {
	policy  orgsim.DuplicatePolicy
	refuse  bool                // messages of closed calls are refused
	stored  map[string][]string // by call
	silent  map[string]bool     // calls on hold or paused
	ended   map[string]bool
	sums    map[string]uint64
	refused bool // any message of the request at hand
}

func (m *model) send(key, id string) {
	m.sums["sent"]++
	switch repeat := slices.Contains(m.stored[key], id); {
	case m.silent[key]:
		m.sums["refused"]++
		m.refused = true
	case m.ended[key] && m.refuse:
		m.sums["refused"]++
		m.refused = true
	case repeat && m.policy == orgsim.Refuse:
		m.sums["refused"]++
		m.refused = true
	case repeat && m.policy == orgsim.Ignore:
		m.sums["ignored"]++
	case m.ended[key]:
		m.sums["dropped"]++
	default:
		m.sums["stored"]++
		m.stored[key] = append(m.stored[key], id)
	}
}

// Against the model: whatever is sent, held, resumed and ended, the ledger
// has the same messages in the same order, the answer tells whether any was
// refused, and every message sent is accounted for.
func TestOrgAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			policy: orgsim.DuplicatePolicy(rapid.IntRange(0, 2).Draw(rt, "policy")), refuse: rapid.Bool().Draw(rt, "refuse ended"),
			stored: map[string][]string{}, silent: map[string]bool{}, ended: map[string]bool{}, sums: map[string]uint64{},
		}
		c := newClient(t, orgsim.Config{MakeCalls: true, Duplicates: m.policy, RefuseEnded: m.refuse})
		key := rapid.SampledFrom([]string{"a", "b", "c"})
		ids := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 5)
		seen := map[string]bool{} // calls that the org has made: no other can be held or ended
		rt.Repeat(map[string]func(*rapid.T){
			"bulk": func(rt *rapid.T) {
				var entries []string
				m.refused = false
				for range rapid.IntRange(1, 5).Draw(rt, "entries") {
					k := key.Draw(rt, "call")
					seen[k] = true
					entry := k
					for _, id := range ids.Draw(rt, "ids") {
						entry += fmt.Sprint(" ", id)
						m.send(k, fmt.Sprint(id))
					}
					entries = append(entries, entry)
				}
				got := c.bulk(entries...)
				if want := map[bool]int{false: 200, true: 207}[m.refused]; got.status != want {
					rt.Fatalf("%v: got %v, want %d", entries, got, want)
				}
			},
			"hold": func(rt *rapid.T) {
				k, on := key.Draw(rt, "call"), rapid.Bool().Draw(rt, "on")
				c.org.Hold(k, on)
				m.silent[k] = on && seen[k]
			},
			"end": func(rt *rapid.T) {
				k := key.Draw(rt, "call")
				c.org.End(k)
				m.ended[k] = m.ended[k] || seen[k]
			},
			"": func(rt *rapid.T) { m.check(rt, c.org.Ledger()) },
		})
	})
}

func (m *model) check(rt *rapid.T, led orgsim.Ledger) {
	for key, want := range m.stored {
		if got := led.Calls[key].MessageIDs; !slices.Equal(got, want) {
			rt.Fatalf("call %s: stored %v, want %v", key, got, want)
		}
	}
	sum := func(counts map[string]uint64) (n uint64) {
		for _, c := range counts {
			n += c
		}
		return n
	}
	got := map[string]uint64{
		"sent": led.Messages, "stored": led.Stored, "dropped": sum(led.Dropped), "refused": sum(led.Refused),
	}
	for what, n := range got {
		if n != m.sums[what] {
			rt.Fatalf("%s: got %d, want %d", what, n, m.sums[what])
		}
	}
	if led.Messages != led.Stored+sum(led.Dropped)+sum(led.Refused)+m.sums["ignored"] {
		rt.Fatalf("%+v: messages are not all accounted for", led.Totals)
	}
}

// However faults fall, a client that repeats what was not accepted until it
// is, one request at a time, gets everything stored in order and once: the
// org never accepts what it does not store, and never stores a later message
// of a call in place of an earlier one.
func TestFaultsLoseNothing(t *testing.T) {
	rates, err := orgsim.ParseFaults("401=0.05,403=0.05,429=0.05,500=0.05,502=0.05,success-false=0.05,207-exhausted=0.2,207-paused=0.1,cut-before=0.1,cut-after=0.1,html=0.05")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, Faults: rates, Seed: rapid.Uint64().Draw(rt, "seed")})
		want := map[string][]string{"a": {"1", "2", "3", "4", "5"}, "b": {"1", "2"}, "c": {"1", "2", "3"}}
		done := false
		for range 200 {
			got := c.bulk("a 1 2 3 4 5", "b 1 2", "c 1 2 3")
			if done = !got.cut && got.status == 200 && strings.Contains(got.body, "Accepted"); done {
				break
			}
		}
		if cmp := c.org.Ledger().Compare(want); !done || !cmp.Clean() {
			rt.Fatalf("accepted %v, compare %+v", done, cmp)
		}
	})
}
