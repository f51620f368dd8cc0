package orgsim

import "time"

// window counts events of a rolling span, in buckets: adding and asking cost
// the same however many events there were. An event is forgotten between one
// span and one bucket more after it happened.
type window struct {
	width   time.Duration
	buckets []int
	first   int64 // number of the oldest bucket's time since the epoch
	sum     int
}

func newWindow(span time.Duration, buckets int) window {
	return window{width: span / time.Duration(buckets), buckets: make([]int, buckets+1)}
}

func (w *window) add(now time.Time) {
	n := w.slide(now)
	w.buckets[n%int64(len(w.buckets))]++
	w.sum++
}

// count is the number of events in the span that ends now.
func (w *window) count(now time.Time) int {
	w.slide(now)
	return w.sum
}

// slide forgets what is too old, and returns the number of now's bucket.
func (w *window) slide(now time.Time) int64 {
	n, size := now.UnixNano()/int64(w.width), int64(len(w.buckets))
	if n-w.first >= 2*size {
		clear(w.buckets)
		w.sum, w.first = 0, n-size+1
	}
	for ; n-w.first >= size; w.first++ {
		old := &w.buckets[w.first%size]
		w.sum -= *old
		*old = 0
	}
	return max(n, w.first)
}
