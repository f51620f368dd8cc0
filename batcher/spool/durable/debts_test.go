package durable

import (
	"testing"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

// Debts are what a map of them would be.
func TestDebtsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds, want := newDebts(), map[spool.Position]debt{}
		place := rapid.Custom(func(t *rapid.T) spool.Position {
			return spool.Position(rapid.Uint64Range(0, 5).Draw(t, "far")*1000 + rapid.Uint64Range(0, 40).Draw(t, "near"))
		})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p, d := place.Draw(t, "p"), debt{received: rapid.Int64().Draw(t, "received"), bytes: rapid.Uint32().Draw(t, "bytes"), ended: rapid.Bool().Draw(t, "ended")}
				ds.add(p, d)
				want[p] = d
			},
			"take": func(t *rapid.T) {
				p := place.Draw(t, "p")
				d, ok := ds.take(p)
				if w, there := want[p]; d != w || ok != there {
					t.Fatalf("take(%d) = %v, %v, want %v, %v", p, d, ok, w, there)
				}
				delete(want, p)
			},
			"": func(t *rapid.T) {
				p := place.Draw(t, "p")
				d, ok := ds.at(p)
				if w, there := want[p]; d != w || ok != there {
					t.Fatalf("at(%d) = %v, %v, want %v, %v", p, d, ok, w, there)
				}
				count := map[debt]int{}
				for _, d := range want {
					count[d]++
				}
				for d := range ds.all() {
					count[d]--
				}
				for d, n := range count {
					if n != 0 {
						t.Fatalf("all yields %v %d times too seldom", d, n)
					}
				}
				if ds.len() != len(want) {
					t.Fatalf("len = %d, want %d", ds.len(), len(want))
				}
				for at, s := range ds.sheets {
					if s.open == 0 {
						t.Fatalf("the sheet of %d is empty and kept", at*sheetSize)
					}
				}
			},
		})
	})
}
