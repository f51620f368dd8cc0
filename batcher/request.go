package batcher

import (
	"context"
	"time"

	"example.com/steno/batcher/spool"
)

// Utterance is a record on its way, and what has happened to it so far. It is
// made once, and the batcher's own: a Sender reads it, until it has answered.
type Utterance struct {
	*spool.Record
	Attempts  int  // requests that it has been in
	Ambiguous bool // one of them may have been stored though no answer said so
	Late      bool // one of them went when Salesforce may not take it any more: the call had ended seconds before, or Limits.EndGrace had passed since its receipt

	// Note is for whoever follows the utterance: what Config.OnTaken leaves here is
	// found in Sender and Config.OnSettled. The batcher does not look at it.
	Note any
}

// Entry is what one request carries of one call: at most Limits.MaxMessages
// utterances, of one speaker unless Limits.MixSpeakers.
type Entry struct {
	Call       string
	Utterances []*Utterance
	oldest     time.Time // when its first utterance began to wait
	from       *buffer   // B6
}

// Request is one createBulkTranscriptMessages, or one createTranscriptMessage.
type Request struct {
	// Single asks for createTranscriptMessage. There is one entry with one
	// utterance then.
	Single bool
	// Entries are in the order in which they must be stored. A call may stand
	// in several of them.
	Entries []Entry

	sent  time.Time
	apart bool // sent without company because it may hold poison
	late  int  // utterances that are Late for the first time
	proof bool // sent above the known rate limit, to see whether it still holds
}

// Messages counts the utterances in the request.
func (r Request) Messages() int {
	n := 0
	for i := range r.Entries {
		n += len(r.Entries[i].Utterances)
	}
	return n
}

// A Sender makes one attempt at a request and says what became of it. It
// answers in bounded time, also when ctx is done, and never repeats by itself
// what may have been stored.
type Sender interface {
	Send(ctx context.Context, r Request) Outcome
}

// Outcome says what became of a request.
type Outcome struct {
	Results  []Result // one for each entry of the request, in their order
	Trouble  Trouble  // what the request tells of the whole org
	Wait     time.Duration
	Written  time.Time // when the request had left; zero: it did not
	Answered time.Time // when the answer was there; zero: there was none
	Usage    Usage     // of the org's daily requests, where the answer tells; else zero
	Err      error     // for the log: what Salesforce said; never text of an utterance
}

// Result says what became of one entry.
type Result struct {
	Verdict   Verdict
	Reason    string   // of Reject: a short word of a closed set, for metrics and dead letters
	Words     string   // of a refusal: Salesforce's own, for the dead letter alone, since they may quote an utterance
	Only      []string // the message ids that the verdict is about. Empty: all
	Others    Verdict  // of the utterances that Only does not name, Deliver or Retry; zero: Deliver
	Ambiguous bool     // the utterances may have been stored all the same
}

// Verdict is what is to be done with an entry.
type Verdict int

// The verdicts. The zero Verdict is none of them.
const (
	Deliver Verdict = iota + 1 // stored: settle as delivered
	Reject                     // final: settle as rejected, for Reason
	Retry                      // send again; the call rests before it
	NotYet                     // Salesforce does not know the call yet: as Retry, until Limits.Grace is over
	Doubt                      // it failed, perhaps by its own doing: as Retry; if that stays while the org takes others, as Suspect
	Suspect                    // something among the entries is refused and nobody says what: send again in smaller parts
)

// Trouble is what an outcome tells of the org as a whole.
type Trouble int

// The kinds of trouble, the mild ones first.
const (
	None      Trouble = iota // the org answers
	Down                     // it does not answer, or not with sense: try again in seconds
	Crowded                  // it has too much to do at once: go on with fewer requests in flight
	Throttled                // it asks for less: its window is 30 s
	Parked                   // the day's requests are spent: try again in minutes
	Barred                   // it will not have us until somebody mends the configuration
)

var troubleWords = [...]string{None: "none", Down: "down", Crowded: "crowded", Throttled: "throttled", Parked: "parked", Barred: "barred"}

func (t Trouble) String() string { return troubleWords[t] }
