package pack

import (
	"time"
)

// Arrival is one utterance that is to be sent.
type Arrival struct {
	At      time.Time
	Call    string
	Speaker string
}

// Bound is a number of requests below which the arrivals, given in the order
// of their times, cannot be sent so that none waits longer than wait and every
// call keeps its order. It is the larger of two bounds:
//
//	without the limit on entries a request takes all that is there, so each
//	request may as well leave when the first utterance not sent is due, and no
//	fewer will do: of the utterances that opened a request, no two could have
//	shared one
//
//	a call alone fills each entry with all that comes before its first
//	utterance is due, up to maxMessages of one speaker. Of the utterances that
//	opened an entry no two can share one, whatever is done, since a part of an
//	entry is an entry. So each takes a place of its own in a request, within
//	its own wait; and places of equal waits are best filled first come, first
//	served, maxEntries at a time, when the first of them is due
//
// The second is never below a fifth of the entries, which is the bound that
// one sees at once.
func Bound(all []Arrival, wait time.Duration, mixed bool) int {
	return max(requests(all, wait, len(all)), requests(openers(all, wait, mixed), wait, maxEntries))
}

// Simple is the bound that one sees at once: a fifth of the entries, or the
// requests that there would be without a limit on them.
func Simple(all []Arrival, wait time.Duration, mixed bool) int {
	return max(requests(all, wait, len(all)), (len(openers(all, wait, mixed))+maxEntries-1)/maxEntries)
}

// Salesforce's limits on one request.
const (
	maxEntries  = 5
	maxMessages = 5
)

// requests counts those that take size arrivals each, first come, first
// served, and leave when the first of them is due.
func requests(all []Arrival, wait time.Duration, size int) (n int) {
	for len(all) > 0 {
		leaves := all[0].At.Add(wait)
		taken := 0
		for taken < min(size, len(all)) && !all[taken].At.After(leaves) {
			taken++
		}
		all = all[taken:]
		n++
	}
	return n
}

// openers are the arrivals that open an entry of their call where every entry
// takes what it can.
func openers(all []Arrival, wait time.Duration, mixed bool) (first []Arrival) {
	type entry struct {
		leaves   time.Time
		speaker  string
		messages int
	}
	open := map[string]*entry{}
	for _, a := range all {
		e := open[a.Call]
		if e == nil || a.At.After(e.leaves) || e.messages == maxMessages || !mixed && e.speaker != a.Speaker {
			e = &entry{leaves: a.At.Add(wait), speaker: a.Speaker}
			open[a.Call] = e
			first = append(first, a)
		}
		e.messages++
	}
	return first
}
