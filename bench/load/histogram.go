package load

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1/64 wide, relative
// to what they hold: a percentile is right to 1.6 %. Its memory does not grow.
type histogram struct {
	buckets [32 * steps]uint32
	count   uint64
	sum     time.Duration
	max     time.Duration
}

// steps is how many buckets there are from one power of two to the next.
const steps = 64

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(d)]++
	h.count++
	h.sum += d
	h.max = max(h.max, d)
}

// bucketOf is the bucket of a duration: microseconds themselves up to 2×steps,
// then their leading bits.
func bucketOf(d time.Duration) int {
	us := uint64(d.Microseconds())
	shift := max(0, bits.Len64(us)-7)
	return min(shift*steps+int(us>>shift), len(histogram{}.buckets)-1)
}

// upTo is the upper end of a bucket.
func upTo(bucket int) time.Duration {
	shift := max(0, bucket/steps-1)
	return time.Duration(bucket-shift*steps+1) << shift * time.Microsecond
}

// at is the duration below which a share q of all lies.
func (h *histogram) at(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank, seen := uint64(q*float64(h.count-1)), uint64(0)
	for i, n := range h.buckets {
		if seen += uint64(n); seen > rank {
			return min(upTo(i), h.max)
		}
	}
	return h.max
}

// Latency is how a number of durations are spread, in milliseconds.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"meanMs"`
	P50   float64 `json:"p50Ms"`
	P99   float64 `json:"p99Ms"`
	P999  float64 `json:"p999Ms"`
	Max   float64 `json:"maxMs"`
}

func (h *histogram) latency() Latency {
	if h.count == 0 {
		return Latency{}
	}
	return Latency{h.count, ms(h.sum / time.Duration(h.count)), ms(h.at(.5)), ms(h.at(.99)), ms(h.at(.999)), ms(h.max)}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// timeline is a histogram for each second of a load.
type timeline []*histogram

func (t *timeline) add(at, d time.Duration) {
	second := int(min(at/time.Second, maxSeconds))
	for len(*t) <= second {
		*t = append(*t, &histogram{})
	}
	(*t)[second].add(d)
}

// maxSeconds bounds the memory of a timeline: what is later counts for its last second.
const maxSeconds = 3600

// merge adds all that other has counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.sum += other.sum
	h.max = max(h.max, other.max)
}
