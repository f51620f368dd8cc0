package monitor

import "time"

// slot is what happened in a stretch of time.
type slot struct {
	number   int64     // of the stretch since the epoch
	speech   histogram // end of speech → accepted, clocks put right
	delivery histogram // received → accepted

	spent   [stages]time.Duration // by the utterances that were accepted, all together
	settled uint32                // their number

	accepted, rejected uint32 // utterances
	requests, refused  uint32
}

func (s *slot) merge(o *slot) {
	s.speech.merge(&o.speech)
	s.delivery.merge(&o.delivery)
	for i, d := range o.spent {
		s.spent[i] += d
	}
	s.settled += o.settled
	s.accepted += o.accepted
	s.rejected += o.rejected
	s.requests += o.requests
	s.refused += o.refused
}

// window holds the last slots.
//
//	W1  a slot is found by its number, modulo how many there are: what is there
//	    under another number is too old and makes room
//	W2  nothing needs to happen when nothing happens: there is no timer
type window struct {
	width time.Duration // of a slot
	slots []slot
}

func newWindow(width time.Duration, slots int) window {
	return window{width, make([]slot, slots)}
}

func (w *window) number(now time.Time) int64 { return now.UnixNano() / int64(w.width) }

// at returns the slot of now.
func (w *window) at(now time.Time) *slot {
	n := w.number(now)
	s := &w.slots[n%int64(len(w.slots))]
	if s.number != n { // W1
		*s = slot{number: n}
	}
	return s
}

// each calls f with the last n slots, the oldest first, the running one last;
// nil stands for one in which nothing happened.
func (w *window) each(now time.Time, n int, f func(*slot)) {
	last := w.number(now)
	for i := last - int64(n) + 1; i <= last; i++ {
		if s := &w.slots[i%int64(len(w.slots))]; s.number == i {
			f(s)
		} else {
			f(nil)
		}
	}
}

// last is the sum of the last n slots.
func (w *window) last(now time.Time, n int) slot {
	var sum slot
	w.each(now, n, func(s *slot) {
		if s != nil {
			sum.merge(s)
		}
	})
	return sum
}

// history is the same told twice: by the second for what is going on now, and
// coarser for the last hour.
type history struct{ seconds, hour window }

const (
	hourSlots = 360
	hourSlot  = 10 * time.Second
	nowSlots  = 10 // of seconds: what "now" means
)

func newHistory() history {
	return history{newWindow(time.Second, 60), newWindow(hourSlot, hourSlots)}
}

// both are the slots of now: what happens is booked in each of them.
func (h *history) both(now time.Time) [2]*slot {
	return [2]*slot{h.seconds.at(now), h.hour.at(now)}
}

// deliver counts an utterance that Salesforce has accepted.
func deliver(slots [2]*slot, speech, delivery time.Duration, spent *[stages]time.Duration) {
	inSpeech, inDelivery := bucketOf(speech), bucketOf(delivery)
	for _, s := range slots {
		s.speech[inSpeech]++
		s.delivery[inDelivery]++
		for i, d := range spent {
			s.spent[i] += d
		}
		s.settled++
	}
}
