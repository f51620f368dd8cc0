package deadletters

import (
	"encoding/json"
	"time"

	"example.com/steno/batcher/spool"
)

// Shown is a dead letter as people and programs see it.
type Shown struct {
	ID        uint64    `json:"id"`
	Org       string    `json:"org,omitempty"`
	Call      string    `json:"vendorCallKey"`
	MessageID string    `json:"messageId"`
	Reason    string    `json:"reason"`
	Attempts  int       `json:"attempts"`
	Ambiguous bool      `json:"ambiguous"` // a request that it was in may have been stored all the same
	Received  time.Time `json:"received"`
	Sent      time.Time `json:"sent,omitzero"` // the last time
	Rejected  time.Time `json:"rejected"`

	// What follows may hold what somebody said. Only Show fills it in.
	Words   string          `json:"words,omitempty"` // Salesforce's own
	Message json.RawMessage `json:"message,omitempty"`
}

func show(d *spool.DeadLetter) Shown {
	return Shown{
		ID: uint64(d.ID), Org: d.Record.Org, Call: d.Record.Call, MessageID: d.Record.MessageID,
		Reason: d.Reason, Attempts: d.Attempts, Ambiguous: d.Ambiguous,
		Received: d.Record.Received.UTC(), Sent: d.Sent.UTC(), Rejected: d.Rejected.UTC(),
	}
}

func showWhole(d *spool.DeadLetter) Shown {
	s := show(d)
	s.Words, s.Message = d.Words, d.Record.Message
	return s
}
