package ingest

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// An index is a set of pairs of a key and a number, and I1 and I2 hold. Keys are
// few and close together here, so that they meet.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			key uint64
			n   uint32
		}
		var x index
		model := map[entry]bool{}
		next := uint32(0)
		keys := rapid.Uint64Range(0, 40)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 50).Draw(t, "times") {
					e := entry{keys.Draw(t, "key") << 1, next}
					x.add(e.key, e.n)
					model[e] = true
					next++
				}
			},
			"remove": func(t *rapid.T) {
				for e := range maps.Keys(model) {
					if rapid.Bool().Draw(t, "this one") {
						x.remove(e.key, e.n)
						delete(model, e)
					}
				}
			},
			"": func(t *rapid.T) {
				found := 0
				for key := range uint64(82) {
					for n := range x.find(key) {
						found++
						if !model[entry{key &^ 1, n}] {
							t.Fatalf("under key %d there is %d", key, n)
						}
					}
				}
				if found != 2*len(model) { // keys that differ in the last bit have one mark
					t.Fatalf("found %d twice, want %d", found, len(model))
				}
				if x.used != len(model) || x.used > len(x.entries)/4*3 || len(x.entries) > smallestIndex && x.used < len(x.entries)/8 || x.used == 0 && x.entries != nil {
					t.Fatalf("%d are in %d entries, want %d", x.used, len(x.entries), len(model))
				}
			},
		})
	})
}

// Sightings are a map from the ids of calls to places that is shortened from
// the front, by whole seconds.
func TestSightings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type known struct {
			call *call
			id   uint64
		}
		type noted struct {
			place place
			at    time.Time
			by    holder
		}
		s := newSightings()
		calls := []*call{{}, {}, {}}
		model := map[known]noted{}
		now := time.Unix(1573503300, 0)
		t.Repeat(map[string]func(*rapid.T){
			"note": func(t *rapid.T) {
				for range rapid.IntRange(1, 700).Draw(t, "times") {
					k := known{rapid.SampledFrom(calls).Draw(t, "call"), rapid.Uint64Range(0, 2000).Draw(t, "id")}
					now = now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "ms")) * time.Millisecond)
					by := rapid.SampledFrom([]holder{0, 1}).Draw(t, "by")
					model[k] = noted{s.note(k.call, messageHash(k.id), by, now), now, by}
				}
			},
			"remove": func(t *rapid.T) {
				for k, n := range model {
					if rapid.IntRange(0, 3).Draw(t, "this one") == 0 {
						if c := s.remove(n.place); c != k.call {
							t.Fatalf("place %d was of call %p, want %p", n.place, c, k.call)
						}
						delete(model, k)
					}
				}
			},
			"pop": func(t *rapid.T) {
				before := now.Add(-time.Duration(rapid.IntRange(0, 10_000).Draw(t, "ms")) * time.Millisecond)
				for s.len() > 0 && !s.oldest().After(before) {
					first := s.first
					c := s.pop()
					had := len(model)
					maps.DeleteFunc(model, func(k known, n noted) bool { return n.place == first && k.call == c })
					if (c != nil) != (len(model) < had) {
						t.Fatalf("call %p was forgotten with place %d, %d of %d are left", c, first, len(model), had)
					}
				}
				for _, n := range model {
					if !n.at.After(before.Add(-time.Second)) {
						t.Fatalf("of %v one is left at %v", n.at, before)
					}
				}
			},
			"": func(t *rapid.T) {
				numbers, hands := map[uint32]bool{0: true}, 0
				for _, c := range calls {
					ids := 0
					for id := range uint64(2001) {
						p, found := s.find(c, messageHash(id))
						want, known := model[known{c, id}]
						if found != known || p != want.place || found && s.inHand(p) != want.by {
							t.Fatalf("id %d is at %d, %v, in hand %d, want %+v, %v", id, p, found, s.inHand(p), want, known)
						}
						if found {
							ids++
							hands += int(want.by)
						}
					}
					if ids != c.ids.used {
						t.Fatalf("a call counts %d ids, has %d", c.ids.used, ids)
					}
					if ids == 0 != (c.number == 0) || ids > 0 && (numbers[c.number] || s.calls[c.number] != c) {
						t.Fatalf("S3: a call with %d ids has number %d", ids, c.number)
					}
					numbers[c.number] = true
				}
				held := 0
				for i := range s.hands.len {
					held += int(*s.hands.at(i))
				}
				if held != hands || s.hands.len > 0 && *s.hands.head() == 0 || s.hands.len > s.len() {
					t.Fatalf("S4: %d are in somebody's hands, want %d, among %d of %d", held, hands, s.hands.len, s.len())
				}
				if len(s.calls) > 1+len(calls) || (s.len() == 0) != (s.seconds.len == 0) {
					t.Fatalf("%d numbers for %d calls; %d seconds for %d places", len(s.calls)-1, len(calls), s.seconds.len, s.len())
				}
			},
		})
	})
}
