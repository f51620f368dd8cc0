package pack_test

import (
	"testing"
	"time"

	"example.com/steno/bench/workload"
)

// TestPartitions prints what it costs to cut an org's calls into partitions,
// whose utterances never share a request, and holds the loss at a thousand
// calls in four, the default, to what is asked of it.
//
//	go test ./bench/pack -run Partitions -v          what the gate runs
//	go test ./bench/pack -run Partitions -v -sweep   100 to 10,000 calls
func TestPartitions(t *testing.T) {
	calls, from, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("calls from %s", from)
	t.Logf("| calls | answers in | partitions | utterances | requests | requests an utterance | more than in one | wait mean | wait p99 |")
	t.Logf("|---|---|---|---|---|---|---|---|---|")
	rows := func(n int, trip time.Duration, atMost float64) {
		t.Helper()
		one := 0
		for _, partitions := range []int{1, 2, 4, 8} {
			r := run{calls: n, maxWait: 200 * time.Millisecond, trip: trip, duration: 100_000 * time.Second / time.Duration(n), partitions: partitions}
			got := simulate(t, calls, r)
			if partitions == 1 {
				one = got.requests
			}
			loss := float64(got.requests)/float64(one) - 1
			mean, p99 := quantiles(got.waits)
			t.Logf("| %d | %v | %d | %d | %d | %.4f | %.1f %% | %v | %v |", n, trip, partitions, got.utterances, got.requests,
				float64(got.requests)/float64(got.utterances), 100*loss, mean.Round(100*time.Microsecond), p99.Round(100*time.Microsecond))
			if got.worst != "" {
				t.Errorf("%+v: %s", r, got.worst)
			}
			if partitions <= 4 && loss > atMost {
				t.Errorf("%+v: %.1f %% more requests than in one partition, want at most %.0f %%", r, 100*loss, 100*atMost)
			}
		}
	}
	const any = 1000
	rows(1000, 200*time.Millisecond, .05)
	if !*sweep {
		return
	}
	for _, n := range []int{100, 300, 1000, 10_000} {
		rows(n, 0, any)
		rows(n, 200*time.Millisecond, any)
	}
}
