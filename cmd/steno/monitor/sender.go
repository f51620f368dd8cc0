package monitor

import "bytes"

// sender is one of Salesforce's sender types, which are the only ones that
// ingest lets in.
type sender uint8

const (
	nobody sender = iota // of no message
	endUser
	externalUser
	humanAgent
	virtualAgent
	supervisor
)

var senderNames = [...]string{nobody: "", endUser: "END_USER", externalUser: "EXTERNAL_USER", humanAgent: "HUMAN_AGENT", virtualAgent: "VIRTUAL_AGENT", supervisor: "SUPERVISOR"}

func (s sender) String() string { return senderNames[s] }

// isCustomer tells the two sides of a call apart.
func (s sender) isCustomer() bool { return s == endUser || s == externalUser }

// senderOf reads the sender type out of a message, without decoding the rest of
// it: in JSON without white space these bytes are nowhere else, for within a
// string the quotes would be escaped, and no other field's name ends so. They do
// not begin with a quote: a search would stop at every one.
func senderOf(message []byte) sender {
	const field = `Type":"`
	_, rest, _ := bytes.Cut(message, []byte(field))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	for s, known := range senderNames {
		if string(name) == known {
			return sender(s)
		}
	}
	return nobody
}
