package monitor

import (
	"math"
	"sort"
	"time"
)

// histogram counts durations in buckets each of which is 15 % wider than the
// one before, so that a quantile is off by 7 % at most, from a millisecond to
// five minutes. What is longer is counted as five minutes.
type histogram [buckets]uint32

const (
	buckets = 92
	least   = time.Millisecond // below it is bucket 0
	growth  = 1.15
)

// bucketOf is the bucket in which a duration is counted.
func bucketOf(d time.Duration) int {
	return max(0, sort.Search(buckets, func(b int) bool { return d < bounds[b] })-1)
}

// bounds are the lower bounds of the buckets: a logarithm for each utterance
// costs more than to look it up.
var bounds = func() (lower [buckets]time.Duration) {
	for b := range buckets {
		lower[b] = bound(b)
	}
	return lower
}()

// bound is the lower bound of a bucket.
func bound(bucket int) time.Duration {
	if bucket == 0 {
		return 0
	}
	return time.Duration(float64(least) * math.Pow(growth, float64(bucket-1)))
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other {
		h[i] += n
	}
}

func (h *histogram) count() (n uint64) {
	for _, c := range h {
		n += uint64(c)
	}
	return n
}

// quantile is the duration that the share q of all does not exceed, taking
// those of a bucket to be spread evenly in it; 0 where nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	rank, below := q*float64(h.count()), 0.0
	for i, n := range h {
		if n > 0 && below+float64(n) >= rank {
			low, high := bound(i), bound(i+1)
			return low + time.Duration(float64(high-low)*(rank-below)/float64(n))
		}
		below += float64(n)
	}
	return 0
}
