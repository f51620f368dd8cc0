package main

import (
	"fmt"
	"slices"
	"time"
)

// latency is how a number of durations are spread. It prints itself as people
// read it.
type latency struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50Nanos"`
	P99   time.Duration `json:"p99Nanos"`
	Max   time.Duration `json:"maxNanos"`
}

func latencyOf(ds []time.Duration) latency {
	if len(ds) == 0 {
		return latency{}
	}
	sorted := slices.Sorted(slices.Values(ds))
	at := func(q float64) time.Duration { return sorted[int(q*float64(len(sorted)-1))] }
	return latency{len(sorted), at(.5), at(.99), sorted[len(sorted)-1]}
}

func (l latency) String() string {
	if l.Count == 0 {
		return "none measured"
	}
	return fmt.Sprintf("p50 %d ms, p99 %d ms, max %d ms", l.P50.Milliseconds(), l.P99.Milliseconds(), l.Max.Milliseconds())
}
