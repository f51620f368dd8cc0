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
	place int // the journeys' own

	call             *call
	number           int // in the call
	spoken, received time.Time
	clock            time.Duration // by how much its engine's clock was behind
	dialect          string

	read       time.Time     // when the batcher had it
	laneBefore time.Duration // what its call's lane had been busy for by then
	first      time.Time     // when its first request left; zero: none has
	lane       time.Duration // of the wait until then
	company    time.Duration // the most that it might wait for company
	flying     time.Time     // since when a request with it is under way; zero: none is
	flown      time.Duration // in requests that have come back
}

// said is what the call shows of it; nil: it has made room there.
func (j *journey) said() *said { return j.call.said.at(j.number) }

// leave notes that a request with it leaves.
func (j *journey) leave(now time.Time, company time.Duration) {
	if j.first.IsZero() {
		j.first, j.lane, j.company = now, j.call.lane.busy(now)-j.laneBefore, company
	}
	j.flying = now
}

// land notes that the request is back.
func (j *journey) land(now time.Time) {
	j.flown += now.Sub(j.flying)
	j.flying = time.Time{}
}

// spent is what it has spent where by now (J1).
func (j *journey) spent(now time.Time, company time.Duration) (in [stages]time.Duration) {
	in[inEngine] = max(0, j.received.Sub(j.spoken)-j.clock)
	in[inSpool] = max(0, j.read.Sub(j.received))
	in[atSalesforce] = j.flown
	if !j.flying.IsZero() {
		in[atSalesforce] += now.Sub(j.flying)
	}
	wait, lane := j.first.Sub(j.read), j.lane
	if j.first.IsZero() {
		wait, lane = now.Sub(j.read), j.call.lane.busy(now)-j.laneBefore
	} else {
		company = j.company
	}
	in[inLane] = min(lane, wait)
	in[forCompany] = min(wait-in[inLane], company+slack) // J2
	in[heldBack] = max(0, now.Sub(j.read)-in[atSalesforce]-in[inLane]-in[forCompany])
	return in
}

// where is the stage that it is in.
func (j *journey) where(now time.Time, company time.Duration) stage {
	switch {
	case !j.flying.IsZero():
		return atSalesforce
	case !j.first.IsZero(): // J3
		return heldBack
	case !j.call.lane.since.IsZero():
		return inLane
	case j.spent(now, company)[heldBack] > 0:
		return heldBack
	}
	return forCompany
}

// lane is how long requests of a call were under way, one at a time.
type lane struct {
	total time.Duration // of those that are back
	since time.Time     // of the one under way; zero: none is
}

// take and free may be called for each utterance of a request: the first counts.
func (l *lane) take(now time.Time) {
	if l.since.IsZero() {
		l.since = now
	}
}

func (l *lane) free(now time.Time) {
	if !l.since.IsZero() {
		l.total, l.since = l.total+now.Sub(l.since), time.Time{}
	}
}

// busy is how long the lane was taken, all together.
func (l *lane) busy(now time.Time) time.Duration {
	if l.since.IsZero() {
		return l.total
	}
	return l.total + now.Sub(l.since)
}
