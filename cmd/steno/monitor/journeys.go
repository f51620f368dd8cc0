package monitor

// journeys are those that are under way, in no order.
//
//	Y1  each knows its place, so that it is found without a search
//	Y2  of those that are over up to maxSpare are used again: an utterance costs
//	    no memory of its own, and a backlog does not keep what it took
type journeys struct {
	under, spare []*journey
}

const maxSpare = 1000

// begin puts one under way.
func (js *journeys) begin(as journey) *journey {
	var j *journey
	if last := len(js.spare) - 1; last >= 0 {
		j, js.spare = js.spare[last], js.spare[:last]
	} else {
		j = new(journey)
	}
	*j = as
	j.place = int32(len(js.under))
	js.under = append(js.under, j)
	return j
}

// end takes one out that is over, and must not be looked at any more.
func (js *journeys) end(j *journey) {
	last := len(js.under) - 1
	js.under[j.place] = js.under[last]
	js.under[j.place].place = j.place // Y1
	js.under[last] = nil
	js.under = js.under[:last]
	if len(js.spare) < maxSpare {
		*j = journey{}
		js.spare = append(js.spare, j)
	}
}
