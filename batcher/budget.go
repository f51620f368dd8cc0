package batcher

import (
	"math"
	"time"
)

// Usage is how much of the org's API requests of a rolling day are used, by
// all its clients together. Salesforce counts them over the last 24 hours.
type Usage struct {
	Used, Max int64     // requests
	At        time.Time // when that was so; zero: nothing is known
}

const (
	slotTime = 15 * time.Minute
	daySlots = int(24 * time.Hour / slotTime)
)

// Slot is what happened in a quarter of an hour.
type Slot struct {
	Number     int64   `json:"number"`     // quarters of an hour since the epoch
	Utterances float64 `json:"utterances"` // that came in
	Requests   float64 `json:"requests"`   // that left
	Whole      bool    `json:"whole"`      // all of it was seen: what it says is fit for a forecast
}

// budget says how many requests an utterance may cost, so that the org's daily
// API requests last.
//
//	D1  our share is Max, less the reserve, less what others use: what the org
//	    counts beyond our own requests. They are taken to go on as they are
//	D2  a request counts for 24 hours
//	D3  at no time within the next 24 hours may more be used than our share, if
//	    every utterance costs the same: what is asked for is the most that an
//	    utterance may cost. There is no bound where our share lasts though
//	    nothing is stretched
//	D4  as much speech is expected in a slot as there was 24 hours ago, more or
//	    less as the last hours have been; where that is not known, as much as now
//	D5  when our share is used up nothing may leave until a part of it comes back
type budget struct {
	reserve float64 // of Max, 0…1
	usual   Limits  // what natural goes by
	usage   Usage
	ours    float64 // our requests of the 24 hours before usage.At

	slots [2 * daySlots]Slot // by number modulo their count: a day, and the day before it for D4
	sum   float64            // spent in slot sumAt, so that it need not be added up for each request
	sumAt int64
	since time.Time // when the budget began to watch
	rate  float64   // utterances a second, of the last minutes
}

// at returns the slot of a time, empty if nothing was booked in it yet.
func (b *budget) at(t time.Time) *Slot {
	n := t.Unix() / int64(slotTime/time.Second)
	s := &b.slots[n%int64(len(b.slots))]
	if s.Number != n {
		*s = Slot{Number: n, Whole: !b.since.IsZero() && !b.since.After(slotBegin(n))}
	}
	return s
}

func slotBegin(n int64) time.Time { return time.Unix(n*int64(slotTime/time.Second), 0) }

// seen returns what a slot says, if it is still known.
func (b *budget) seen(n int64) (s Slot, ok bool) {
	s = b.slots[n%int64(len(b.slots))]
	return s, s.Number == n
}

// recall brings back the slots that another life of the daemon has seen.
func (b *budget) recall(slots []Slot) {
	for _, s := range slots {
		if s.Number > 0 && s.Utterances >= 0 && s.Requests >= 0 {
			b.slots[s.Number%int64(len(b.slots))] = s
		}
	}
}

// recent is what recall wants to have.
func (b *budget) recent(now time.Time) []Slot {
	var slots []Slot
	for n, i := now.Unix()/int64(slotTime/time.Second), int64(0); i < int64(len(b.slots)); i++ {
		if s, ok := b.seen(n - i); ok {
			slots = append(slots, s)
		}
	}
	return slots
}

// learn takes in what the org has told; older news is dropped.
func (b *budget) learn(u Usage) {
	if u.At.After(b.usage.At) && u.Max > 0 {
		b.usage, b.ours = u, b.spent(u.At)
	}
}

// book counts requests that leave.
func (b *budget) book(now time.Time, n float64) {
	b.spent(now)
	s := b.at(now)
	s.Requests += n
	if b.sumAt == s.Number {
		b.sum += n
	}
}

// spent is how many requests of ours counted at a time (D2). A slot goes as a
// whole, when its end is 24 hours old.
func (b *budget) spent(at time.Time) float64 {
	n := at.Unix() / int64(slotTime/time.Second)
	if n == b.sumAt {
		return b.sum
	}
	sum := 0.0
	for i := range int64(daySlots + 1) {
		if s, ok := b.seen(n - i); ok {
			sum += s.Requests
		}
	}
	b.sum, b.sumAt = sum, n
	return sum
}

// left is what of our share is not used (D1).
func (b *budget) left(now time.Time) float64 {
	others := max(0, float64(b.usage.Used)-b.ours)
	return float64(b.usage.Max)*(1-b.reserve) - others - b.spent(now)
}

// known says whether there is anything to go by.
func (b *budget) known() bool { return b.usage.Max > 0 }

// cost is the most that an utterance may cost, in requests (D3); +Inf: there is
// no bound.
func (b *budget) cost(now time.Time) float64 {
	if !b.known() {
		return math.Inf(1)
	}
	n := now.Unix() / int64(slotTime/time.Second)
	scale := b.scale(n)
	left, speech, natural, most, lasts := b.left(now), 0.0, 0.0, math.Inf(1), true
	part := slotBegin(n+1).Sub(now).Seconds() / slotTime.Seconds() // what is over of the running slot is over
	for i := range int64(daySlots) {
		expected := b.expected(n+i, scale)
		speech, natural, part = speech+expected*part, natural+b.natural(expected)*part, 1
		if speech > 0 {
			most = min(most, max(0, left)/speech)
		}
		lasts = lasts && natural*margin <= left
		if s, ok := b.seen(n + i - int64(daySlots)); ok { // D2: it comes back when the slot after it begins
			left += s.Requests
		}
	}
	if lasts {
		return math.Inf(1)
	}
	return most
}

// margin is how much more than expected our share must last for.
const margin = 1.02

// natural is how many requests the speech of a slot takes when nothing is
// stretched: within MaxWait of an utterance as many more come as usual, to each
// of the siblings its part of them, and five entries go at once.
func (b *budget) natural(utterances float64) float64 {
	company := utterances / slotTime.Seconds() * b.usual.MaxWait.Seconds() / float64(1+b.usual.Siblings)
	return utterances / min(float64(max(1, b.usual.MaxEntries)), 1+company)
}

// expected is how much speech will come in a slot (D4).
func (b *budget) expected(n int64, scale float64) float64 {
	if s, ok := b.seen(n - int64(daySlots)); ok && s.Whole {
		return s.Utterances * scale
	}
	return b.rate * slotTime.Seconds()
}

// scale compares the last two hours with the same ones of yesterday.
func (b *budget) scale(n int64) float64 {
	var today, yesterday float64
	for i := int64(1); i <= 8; i++ {
		now, ok := b.seen(n - i)
		before, known := b.seen(n - i - int64(daySlots))
		if ok && known && before.Whole {
			today, yesterday = today+now.Utterances, yesterday+before.Utterances
		}
	}
	if yesterday < 100 {
		return 1
	}
	return min(2, max(0.5, today/yesterday))
}

// opens returns when the next request may leave (D5).
func (b *budget) opens(now time.Time) time.Time {
	if !b.known() || b.left(now) >= 1 {
		return now
	}
	return slotBegin(now.Unix()/int64(slotTime/time.Second) + 1)
}
