package ingest

import (
	"testing"

	"pgregory.net/rapid"
)

// A fifo is a slice that is appended to and shortened from the front, and holds
// as many chunks as that needs.
func TestFifo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fifo[int]
		var model []int
		pushed := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 3*fifoChunk).Draw(t, "n") {
					q.push(pushed)
					model = append(model, pushed)
					pushed++
				}
			},
			"pop": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 4*fifoChunk).Draw(t, "n")) {
					head := *q.head()
					if got := q.pop(); head != model[0] || got != model[0] {
						t.Fatalf("got %d and %d, want %d", head, got, model[0])
					}
					model = model[1:]
				}
			},
			"": func(t *rapid.T) {
				if q.len != len(model) || len(q.chunks) > len(model)/fifoChunk+2 || len(model) == 0 && len(q.chunks) > 1 {
					t.Fatalf("%d in %d chunks, want %d", q.len, len(q.chunks), len(model))
				}
			},
		})
	})
}
