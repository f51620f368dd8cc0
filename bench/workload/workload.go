// Package workload reads recorded calls and plays them: for replay to a
// running daemon, for load, and for simulation without a clock.
//
//	[bench/workload] → engines → ingest → spool → batcher → sfclient → Salesforce
//
// It stands where telephony and speech engines stand in life. What it
// promises: the same calls, options and seed give the same arrivals, in order
// of time, for ever; memory grows with the concurrent calls and not with the
// length of the play; nothing here reads a clock or starts a goroutine.
//
// A recording is JSON lines, one utterance a line, as testdata/README.md
// describes it. It is an instrument of the laboratory; shipped code never
// imports it.
package workload

import (
	"fmt"
	"time"
)

// Role says which of a call's two parties speaks.
type Role int

const (
	Agent  Role = iota + 1 // the contact centre's person
	Caller                 // the customer
)

// String is the word of the recordings: "agent" or "caller".
func (r Role) String() string {
	switch r {
	case Agent:
		return "agent"
	case Caller:
		return "caller"
	}
	return fmt.Sprintf("Role(%d)", int(r))
}

// Utterance is one final piece of speech of a recorded call.
type Utterance struct {
	Seq   int           // rises within the call, in the order of Start
	Role  Role          // who says it
	Start time.Duration // when it is begun, since the beginning of the recorded call
	End   time.Duration // when it is over, since the beginning of the recorded call; after Start
	Text  string        // what is said, never empty
}

// Call is one recorded call.
type Call struct {
	ID         string // the recording's own name for the call
	Utterances []Utterance
}

// Length is the time from the beginning of the call to the end of its last
// utterance.
func (c Call) Length() time.Duration {
	var length time.Duration
	for _, u := range c.Utterances {
		length = max(length, u.End)
	}
	return length
}
