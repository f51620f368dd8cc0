package ingest

import (
	"maps"
	"testing"

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
// the front.
func TestSightings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type known struct {
			call *call
			id   uint64
		}
		var s sightings
		calls := []*call{{}, {}}
		model := map[known]place{}
		now := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"note": func(t *rapid.T) {
				for range rapid.IntRange(1, 700).Draw(t, "times") {
					k := known{rapid.SampledFrom(calls).Draw(t, "call"), rapid.Uint64Range(0, 2000).Draw(t, "id")}
					now++
					model[k] = s.note(sighting{id: messageHash(k.id), call: k.call, at: now})
				}
			},
			"remove": func(t *rapid.T) {
				for k, p := range model {
					if rapid.IntRange(0, 3).Draw(t, "this one") == 0 {
						s.remove(p)
						delete(model, k)
					}
				}
			},
			"pop": func(t *rapid.T) {
				for range min(s.len(), rapid.IntRange(1, 1000).Draw(t, "times")) {
					first := s.first
					c := s.pop()
					before := len(model)
					maps.DeleteFunc(model, func(k known, p place) bool { return p == first && k.call == c })
					if (c != nil) != (len(model) < before) {
						t.Fatalf("call %p was forgotten with place %d, %d of %d are left", c, first, len(model), before)
					}
				}
			},
			"": func(t *rapid.T) {
				for _, c := range calls {
					ids := 0
					for id := range uint64(2001) {
						p, found := s.find(c, messageHash(id))
						if want, known := model[known{c, id}]; found != known || p != want {
							t.Fatalf("id %d is at %d, %v, want %d, %v", id, p, found, want, known)
						}
						if found {
							ids++
						}
					}
					if ids != c.ids.used {
						t.Fatalf("a call counts %d ids, has %d", c.ids.used, ids)
					}
				}
			},
		})
	})
}
