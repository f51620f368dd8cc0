package monitor

import "time"

// stage is where an utterance's time goes, in the order of the flow.
type stage int

const (
	inEngine     stage = iota // speech has ended → received; the error of the engine's clock taken off
	inSpool                   // received → the batcher has it: being made safe, or behind a backlog
	forCompany                // waits for other utterances to share a request
	inLane                    // a request of its own call is under way
	heldBack                  // the org refuses, the day's requests are spent, or as many are in flight as may be
	atSalesforce              // a request with it is under way
	stages
)

var stageNames = [stages]string{"engine", "spool", "company", "lane", "held", "salesforce"}

// String is the stage's name on metrics, in /status.json and on the page.
func (s stage) String() string { return stageNames[s] }

// slack is how much longer than it may an utterance waits for company because
// no timer is exact.
const slack = 50 * time.Millisecond

// journey is one utterance between the spool and its being settled.
//
//	J1  every moment from the end of its speech until it is settled is spent in
//	    exactly one stage, so that the stages add up to what the agent waits
//	J2  what it waits before its first request is the lane's as far as one of
//	    its call was under way, company's as far as it might wait for that, and
//	    for the rest it was held back
//	J3  what it waits between requests it was held back
//	J4  one that is delivered is under way until Salesforce has answered
type journey struct {
	call          *call
	place         int32 // the journeys' own
	number        int32 // in the call
	dialect       string
	spoken        stamp
	received      stamp
	clock         time.Duration // by how much its engine's clock was behind
	read          stamp         // when the batcher had it
	laneBefore    time.Duration // what its call's lane had been busy for by then
	first         stamp         // when its first request left
	lane, company time.Duration // of the wait until then the lane's part, and the most that it might wait for company
	flying        stamp         // since when a request with it is under way
	flown         time.Duration // in requests that have come back
}

// said is what the call shows of it; nil: it has made room there.
func (j *journey) said() *said { return j.call.said.at(int(j.number)) }

// leave notes that a request with it leaves.
func (j *journey) leave(now stamp, company time.Duration) {
	if j.first == 0 {
		j.first, j.lane, j.company = now, j.call.lane.busy(now)-j.laneBefore, company
	}
	j.flying = now
}

// land notes that the request is back.
func (j *journey) land(now stamp) {
	j.flown += now.since(j.flying)
	j.flying = 0
}

// spent is what it has spent where by now (J1).
func (j *journey) spent(now stamp, company time.Duration) (in [stages]time.Duration) {
	in[inEngine] = max(0, time.Duration(j.received-j.spoken)-j.clock)
	in[inSpool] = j.read.since(j.received)
	in[atSalesforce] = j.flown
	if j.flying != 0 {
		in[atSalesforce] += now.since(j.flying)
	}
	wait, lane := j.first.since(j.read), j.lane
	if j.first == 0 {
		wait, lane = now.since(j.read), j.call.lane.busy(now)-j.laneBefore
	} else {
		company = j.company
	}
	in[inLane] = min(lane, wait)
	in[forCompany] = min(wait-in[inLane], company+slack) // J2
	in[heldBack] = max(0, now.since(j.read)-in[atSalesforce]-in[inLane]-in[forCompany])
	return in
}

// where is the stage that it is in.
func (j *journey) where(now stamp, company time.Duration) stage {
	switch {
	case j.flying != 0:
		return atSalesforce
	case j.first != 0: // J3
		return heldBack
	case j.call.lane.taken != 0:
		return inLane
	case j.spent(now, company)[heldBack] > 0:
		return heldBack
	}
	return forCompany
}

// lane is how long requests of a call were under way, one at a time.
type lane struct {
	total time.Duration // of those that are back
	taken stamp         // since when one is under way
}

// take and free may be called for each utterance of a request: the first counts.
func (l *lane) take(now stamp) {
	if l.taken == 0 {
		l.taken = now
	}
}

func (l *lane) free(now stamp) {
	if l.taken != 0 {
		l.total, l.taken = l.total+now.since(l.taken), 0
	}
}

// busy is how long the lane was taken, all together.
func (l *lane) busy(now stamp) time.Duration {
	if l.taken == 0 {
		return l.total
	}
	return l.total + now.since(l.taken)
}
