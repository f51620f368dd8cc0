package orgsim

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// What the documents fix, and the defaults of what they leave open.
const (
	maxEntries   = 5                // Salesforce: at most 5 voice calls a bulk request
	maxMessages  = 5                // Salesforce: at most 5 messages a voice call in a bulk request
	maxBody      = 6 << 20          // Salesforce: an Apex REST request has at most 6 MB
	maxLogins    = 3600             // Salesforce: logins an hour and user
	longRequest  = 20 * time.Second // Salesforce: requests lasting this long or longer are limited
	maxLong      = 25               // Salesforce: so many of them at once
	rateWindow   = 30 * time.Second // Salesforce's sender: "CS rate limit window is 30 seconds"
	maxAnswer    = 2 * time.Minute  // an Apex transaction's callouts end after 120 s
	defaultSkew  = 5 * time.Second
	feedPatience = 15 * time.Second // a silent feed says something this often
)

// Config says what org to simulate. The zero value is an org that takes any
// client and any names, has unlimited requests, answers at once, never fails,
// and knows only the calls that were created.
type Config struct {
	ClientID, ClientSecret string // of the connected app; empty: any
	CallCenter, Cert       string // callCenterDevName and certDevName; empty: any that is not empty

	// InstanceURL is told with the token. Where it is set, a request for
	// another host gets 401 INVALID_SESSION_ID, as Salesforce answers to
	// *.lightning.force.com. Empty: http and the token request's own host.
	InstanceURL string

	// SessionTimeout ends a token that was not used for so long. Salesforce's
	// own default is two hours; zero: tokens live until ExpireTokens.
	SessionTimeout time.Duration

	MakeCalls   bool            // an unknown vendorCallKey becomes a call on first sight; else it is refused
	Duplicates  DuplicatePolicy // what a repeated messageId does
	OneSpeaker  bool            // refuse entries that mix participants
	RefuseEnded bool            // refuse messages of a closed conversation; else they are accepted and dropped
	Refusal     RefusalStyle    // how a broken rule is told
	Skew        time.Duration   // a message may lie so far before a conversation's start; 0: 5 s; negative: none

	DailyLimit int  // API requests a rolling day; 0: unlimited
	LimitInfo  bool // send Sforce-Limit-Info; needs DailyLimit
	RateLimit  int  // transcript requests a rolling 30 s, else 429; 0: unlimited

	AnswerTime AnswerTime // how long an answer takes; zero: no time
	Faults     Rates      // random faults on the wrapper's six endpoints
	Seed       uint64     // of faults and answer times: the n-th request of two orgs with one seed fares the same

	// IDsOnly keeps no text, participants or times of messages, only their
	// ids: for load runs of millions of messages.
	IDsOnly bool

	Logger *slog.Logger // nil: silent. Never sees transcript text or secrets
}

// DuplicatePolicy is what becomes of a message whose messageId the
// conversation has already; Salesforce documents only that it "has to be
// unique". It reads and prints itself as text: ignore, refuse, store-twice.
type DuplicatePolicy int

// The policies. Whichever it is, the ledger counts the repeat.
const (
	Ignore     DuplicatePolicy = iota // accepted, and not stored again
	Refuse                            // refused by its id
	StoreTwice                        // stored again
)

// RefusalStyle is how a broken rule is told. The wrapper documents the
// envelope {"data":null,"errors":[…],"success":false} but not its HTTP status,
// nor what it makes of the 207 that Salesforce answers to it. It reads and
// prints itself as text: per-entry, envelope-200, envelope-400.
type RefusalStyle int

// The styles. With an envelope, a request in which any message breaks a rule
// of form is refused whole. What depends on the state of a call (unknown,
// paused, closed, repeated) concerns that call alone in every style: the other
// entries are stored, also where the envelope says success:false.
const (
	PerEntry    RefusalStyle = iota // Salesforce's own: 207 and a status for each call; 400 and the envelope for the request as a whole
	Envelope200                     // the envelope with 200
	Envelope400                     // the envelope with 400
)

func duplicateNames() []string { return []string{"ignore", "refuse", "store-twice"} }

func refusalNames() []string { return []string{"per-entry", "envelope-200", "envelope-400"} }

// String is the policy's name.
func (p DuplicatePolicy) String() string { return name(duplicateNames(), int(p)) }

// UnmarshalText reads a policy's name.
func (p *DuplicatePolicy) UnmarshalText(text []byte) error {
	n, err := number("duplicate policy", duplicateNames(), string(text))
	*p = DuplicatePolicy(n)
	return err
}

// String is the style's name.
func (s RefusalStyle) String() string { return name(refusalNames(), int(s)) }

// UnmarshalText reads a style's name.
func (s *RefusalStyle) UnmarshalText(text []byte) error {
	n, err := number("refusal style", refusalNames(), string(text))
	*s = RefusalStyle(n)
	return err
}

func name(names []string, n int) string {
	if n < 0 || n >= len(names) {
		return fmt.Sprintf("unknown(%d)", n)
	}
	return names[n]
}

func number(what string, names []string, text string) (int, error) {
	if n := slices.Index(names, text); n >= 0 {
		return n, nil
	}
	return 0, fmt.Errorf("%s %q: want one of %s", what, text, strings.Join(names, ", "))
}
