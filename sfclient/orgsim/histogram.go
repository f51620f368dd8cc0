package orgsim

import "math/bits"

// histogram counts milliseconds with 32 buckets an octave: quantiles are at
// most one 32nd too high, whatever the number of values.
type histogram struct {
	counts [64 + 58*32]uint64
	n, sum uint64
	max    int64
}

// add counts one value; what is below zero counts as zero.
func (h *histogram) add(ms int64) {
	ms = max(ms, 0)
	h.n++
	h.sum += uint64(ms)
	h.max = max(h.max, ms)
	h.counts[bucketOf(uint64(ms))]++
}

func bucketOf(v uint64) int {
	if v < 64 {
		return int(v)
	}
	octave := bits.Len64(v) - 6
	return 64 + (octave-1)*32 + int(v>>octave) - 32
}

// highest is the largest value that falls into a bucket.
func highest(bucket int) int64 {
	if bucket < 64 {
		return int64(bucket)
	}
	octave := (bucket-64)/32 + 1
	return int64(uint64((bucket-64)%32+33)<<octave - 1)
}

// quantile is the value that a share q of all values does not exceed.
func (h *histogram) quantile(q float64) int64 {
	want, have := uint64(q*float64(h.n)), uint64(0)
	for i, c := range &h.counts {
		if have += c; have > want || have == h.n {
			return min(highest(i), h.max)
		}
	}
	return h.max
}

// latency is the histogram's summary.
func (h *histogram) latency() Latency {
	if h.n == 0 {
		return Latency{}
	}
	return Latency{
		Messages: h.n,
		MeanMS:   float64(h.sum) / float64(h.n),
		P50MS:    h.quantile(0.50),
		P99MS:    h.quantile(0.99),
		MaxMS:    h.max,
	}
}
