package workload

import (
	"slices"
	"strings"
	"time"
)

// Shape is what a set of recorded calls is like, in the figures that matter
// to whoever batches them.
type Shape struct {
	Calls      int
	Utterances int
	Recorded   time.Duration // the lengths of all calls together
	PerSecond  float64       // utterances a second of one call: all of them over all recorded time

	Rate   Spread // over calls: utterances a second
	Length Spread // over calls: seconds
	Gap    Spread // over pairs of successive ends in one call: seconds
	Bytes  Spread // over utterances: bytes of text

	Within200ms float64 // share of gaps of at most 200 ms, 0 to 1
	Within1s    float64 // share of gaps of at most a second, 0 to 1
	Overlapping float64 // share of utterances during which the other speaker says something, 0 to 1
	Inaudible   float64 // share of utterances that are nothing but "[inaudible]", 0 to 1
}

// Spread describes a set of numbers; all zero for an empty one.
type Spread struct {
	Mean, Min, P5, P50, P95, P99, Max float64
}

// Stats measures calls. Gaps are between the ends of utterances: what the
// endpointing delay adds to them depends on the play.
func Stats(calls []Call) Shape {
	s := Shape{Calls: len(calls)}
	var rates, lengths, gaps, sizes []float64
	var overlapping, inaudible int
	for _, c := range calls {
		length := c.Length()
		s.Utterances += len(c.Utterances)
		s.Recorded += length
		lengths = append(lengths, length.Seconds())
		if length > 0 {
			rates = append(rates, float64(len(c.Utterances))/length.Seconds())
		}
		gaps = append(gaps, gapsOf(c)...)
		for _, u := range c.Utterances {
			sizes = append(sizes, float64(len(u.Text)))
			if strings.TrimSpace(u.Text) == "[inaudible]" {
				inaudible++
			}
			if overlapped(u, c) {
				overlapping++
			}
		}
	}
	if s.Recorded > 0 {
		s.PerSecond = float64(s.Utterances) / s.Recorded.Seconds()
	}
	s.Rate, s.Length, s.Gap, s.Bytes = spread(rates), spread(lengths), spread(gaps), spread(sizes)
	s.Within200ms, s.Within1s = shareUpTo(gaps, 0.2), shareUpTo(gaps, 1)
	s.Overlapping, s.Inaudible = share(overlapping, s.Utterances), share(inaudible, s.Utterances)
	return s
}

// gapsOf returns the seconds between successive ends in c.
func gapsOf(c Call) []float64 {
	ends := make([]time.Duration, len(c.Utterances))
	for i, u := range c.Utterances {
		ends[i] = u.End
	}
	slices.Sort(ends)
	var gaps []float64
	for i := 1; i < len(ends); i++ {
		gaps = append(gaps, (ends[i] - ends[i-1]).Seconds())
	}
	return gaps
}

// overlapped says whether the other speaker of c says something during u.
func overlapped(u Utterance, c Call) bool {
	return slices.ContainsFunc(c.Utterances, func(o Utterance) bool {
		return o.Role != u.Role && o.Start < u.End && u.Start < o.End
	})
}

func spread(xs []float64) Spread {
	if len(xs) == 0 {
		return Spread{}
	}
	slices.Sort(xs)
	var sum float64
	for _, x := range xs {
		sum += x
	}
	quantile := func(q float64) float64 { return xs[int(q*float64(len(xs)-1))] }
	return Spread{
		Mean: sum / float64(len(xs)),
		Min:  xs[0],
		P5:   quantile(0.05),
		P50:  quantile(0.5),
		P95:  quantile(0.95),
		P99:  quantile(0.99),
		Max:  xs[len(xs)-1],
	}
}

func shareUpTo(xs []float64, limit float64) float64 {
	n := 0
	for _, x := range xs {
		if x <= limit {
			n++
		}
	}
	return share(n, len(xs))
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
