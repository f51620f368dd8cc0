package ingest

import (
	"testing"
	"time"
)

// Of connections that come one after the other the first pings are spread over
// the second half of the time until they are due, evenly.
func TestFirstBeatsAreSpread(t *testing.T) {
	const every, many, parts = 20 * time.Second, 100, 10
	for _, first := range []uint64{1, 2, 777, 25_000, 1 << 40} {
		var in [parts]int
		for id := first; id < first+many; id++ {
			at := firstBeat(id, every)
			if at <= every/2 || at > every {
				t.Fatalf("connection %d is sent its first ping after %v, want %v to %v", id, at, every/2, every)
			}
			in[(every-at)*parts/(every/2)]++
		}
		for i, n := range in {
			if n < many/parts-2 || n > many/parts+2 {
				t.Errorf("from connection %d on, %d of %d come in part %d of %d: %v", first, n, many, i, parts, in)
			}
		}
	}
}
