package load

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"example.com/steno/bench/workload"
)

// The shapes of a load.
const (
	Real    = "real"    // recorded calls, each joined somewhere in its middle: steady from the start
	Sync    = "sync"    // recorded calls that all begin at the same moment
	Poisson = "poisson" // utterances of calls drawn at random, at random times
	Burst   = "burst"   // as many utterances, all at once, every Every
	Flat    = "flat"    // as fast as acknowledgements allow: no schedule, and no latency to speak of
)

// Shape says what is said, and when.
type Shape struct {
	Kind       string        `help:"real: recorded calls, joined midway; sync: all of them beginning at once; poisson; burst; flat: as fast as acknowledgements allow." name:"shape" enum:"real,sync,poisson,burst,flat" default:"real"`
	Calls      int           `help:"Calls at once." default:"1000"`
	Speed      float64       `help:"real, sync: so many times faster than life." default:"1"`
	Rate       float64       `help:"poisson, burst: utterances a second, all calls together." default:"1000"`
	Every      time.Duration `help:"burst: the time between two." default:"1s"`
	Duration   time.Duration `help:"How long; flat: at most." default:"60s"`
	Count      int           `help:"flat: utterances in all." default:"200000"`
	Urgent     int           `help:"Every so many utterances one is urgent; 0: none."`
	OneSpeaker bool          `help:"Every call has one speaker, as where each party has a stream of its own."`
	Seed       uint64        `help:"Of all that is random." default:"1"`
}

// Utterance is one that is due.
type Utterance struct {
	Call     int // from 0
	Slot     int // which of the concurrent calls
	Due      time.Duration
	From, To time.Duration // when it was spoken; may be below zero
	Role     workload.Role
	Text     string
	Last     bool // of its call
	Urgent   bool
}

// check names the first thing that makes no sense.
func (s Shape) check() error {
	switch {
	case s.Calls < 1:
		return fmt.Errorf("calls is %d: must be at least 1", s.Calls)
	case s.Duration <= 0:
		return fmt.Errorf("duration is %v: must be above 0", s.Duration)
	case (s.Kind == Real || s.Kind == Sync) && !(s.Speed > 0):
		return fmt.Errorf("speed is %v: must be above 0", s.Speed)
	case (s.Kind == Poisson || s.Kind == Burst) && (!(s.Rate > 0) || math.IsInf(s.Rate, 1)):
		return fmt.Errorf("rate is %v: must be above 0", s.Rate)
	case s.Kind == Burst && s.Every <= 0:
		return fmt.Errorf("every is %v: must be above 0", s.Every)
	case s.Kind == Flat && s.Count < s.Calls:
		return fmt.Errorf("count is %d: must be at least the number of calls, %d", s.Count, s.Calls)
	}
	return nil
}

// utterances are all of a load in the order in which they are due. Of a flat
// one they are due at once, and go round the calls.
func (s Shape) utterances(calls []workload.Call) iter.Seq[Utterance] {
	return func(yield func(Utterance) bool) {
		n := 0
		for u := range s.plain(calls) {
			n++
			u.Urgent = s.Urgent > 0 && n%s.Urgent == 0
			if s.OneSpeaker {
				u.Role = workload.Caller
			}
			if !yield(u) {
				return
			}
		}
	}
}

func (s Shape) plain(calls []workload.Call) iter.Seq[Utterance] {
	switch s.Kind {
	case Real, Sync:
		return s.recorded(calls)
	case Flat:
		texts := everything(calls)
		return func(yield func(Utterance) bool) {
			for i := range s.Count {
				if !yield(s.made(i%s.Calls, texts[i/s.Calls%len(texts)], 0)) {
					return
				}
			}
		}
	}
	return s.drawn(everything(calls))
}

// recorded plays recorded calls.
func (s Shape) recorded(calls []workload.Call) iter.Seq[Utterance] {
	arrivals := workload.Play(calls, workload.PlayOptions{
		Concurrent: s.Calls, Seed: s.Seed, Speed: s.Speed, Duration: s.Duration, RandomPhase: s.Kind == Real,
	})
	return func(yield func(Utterance) bool) {
		for a := range arrivals {
			if !yield(Utterance{Call: a.Call, Slot: a.Slot, Due: a.At, From: a.From, To: a.To, Role: a.Role, Text: a.Text, Last: a.Last}) {
				return
			}
		}
	}
}

// drawn puts recorded words into calls at times of its own.
func (s Shape) drawn(texts []workload.Utterance) iter.Seq[Utterance] {
	return func(yield func(Utterance) bool) {
		rng := rand.New(rand.NewPCG(s.Seed, 0))
		perBurst := max(1, int(s.Rate*s.Every.Seconds()))
		at := time.Duration(0)
		for i := 0; ; i++ {
			call := i % s.Calls
			switch {
			case s.Kind == Poisson:
				at += time.Duration(rng.ExpFloat64() / s.Rate * float64(time.Second))
				call = rng.IntN(s.Calls)
			case i%perBurst == 0:
				at += s.Every
			}
			if at >= s.Duration || !yield(s.made(call, texts[rng.IntN(len(texts))], at)) {
				return
			}
		}
	}
}

// made is a recorded utterance, spoken in another call and at another time.
func (s Shape) made(call int, u workload.Utterance, due time.Duration) Utterance {
	return Utterance{Call: call, Slot: call, Due: due, From: due - (u.End - u.Start), To: due, Role: u.Role, Text: u.Text}
}

func everything(calls []workload.Call) (all []workload.Utterance) {
	for _, c := range calls {
		all = append(all, c.Utterances...)
	}
	return all
}
