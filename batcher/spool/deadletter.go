package spool

import (
	"context"
	"errors"
	"iter"
	"time"
)

// LetterID numbers dead letters in the order in which they were kept, from 1.
// A number is never given to a second one.
type LetterID uint64

// DeadLetter is an utterance that was rejected, kept with all that whoever
// wants to know why, or to send it again, may ask. It holds what somebody said,
// twice where Salesforce quotes it: it is never logged.
type DeadLetter struct {
	ID LetterID // set by the spool

	Record    Record
	Reason    string    // a short word of a closed set
	Words     string    // Salesforce's own, at most MaxWords bytes; empty: it gave none
	Attempts  int       // requests that it has been in
	Ambiguous bool      // one of them may have been stored all the same
	Sent      time.Time // when the last of them had left; zero: none did
	Rejected  time.Time
}

// MaxWords bounds what is kept of a refusal, in bytes.
const MaxWords = 2000

// ErrNoLetter is returned for a dead letter that is not there, or not any more.
var ErrNoLetter = errors.New("no such dead letter")

// ErrDamaged is in the error of a dead letter that cannot be read.
var ErrDamaged = errors.New("the dead letter is damaged")

// DeadLetters are the rejected utterances that a Spool keeps until they are
// retried or dropped. Its methods may be called from many goroutines at once.
type DeadLetters interface {
	// List yields the dead letters that are there when it begins and pass the
	// filter, in the order of their numbers. One that cannot be read comes with
	// its number, as far as that is known, and an ErrDamaged, and does not hide
	// those behind it; any other error is the last thing that is yielded.
	List(ctx context.Context, f LetterFilter) iter.Seq2[DeadLetter, error]

	// Get returns one; ErrNoLetter or ErrDamaged where it cannot.
	Get(ctx context.Context, id LetterID) (DeadLetter, error)

	// Retry appends the utterances anew, in the order of their numbers, each
	// under its messageId and at the end of its call, and then drops the
	// letters. The account counts them as accepted once more; that they were rejected
	// stays. It returns how many there were: numbers that are not there are
	// passed over, those that are damaged are in the error.
	Retry(ctx context.Context, ids ...LetterID) (int, error)

	// Drop gives up the letters, text and all, and returns how many of them
	// there were.
	Drop(ctx context.Context, ids ...LetterID) (int, error)

	// Kept returns how many there are.
	Kept() Kept
}

// Kept is what the dead letters come to.
type Kept struct {
	Letters uint64
	Bytes   uint64
}

// LetterFilter says which dead letters are meant; its zero value all of them.
type LetterFilter struct {
	Org, Call, Reason string    // empty: any
	Since             time.Time // rejected then or later; zero: whenever
}

// Passes says whether the filter lets a letter through.
func (f LetterFilter) Passes(d *DeadLetter) bool {
	return (f.Org == "" || f.Org == d.Record.Org) && (f.Call == "" || f.Call == d.Record.Call) &&
		(f.Reason == "" || f.Reason == d.Reason) && !d.Rejected.Before(f.Since)
}

// Again is the record that a retry appends. It comes from no stream, and its
// Seq is the letter's number: so a spool that was interrupted between the two
// steps of a retry finds out. It counts as received now, since it was not
// waiting all the while.
func (d *DeadLetter) Again(now time.Time) *Record {
	r := d.Record
	r.Stream, r.Epoch, r.Seq = StreamID{Org: r.Org, Call: r.Call}, "", uint64(d.ID)
	r.Urgent, r.Received = false, now
	return &r
}

// Retried is the number of the dead letter that the record is a retry of; 0: of
// none.
func (r *Record) Retried() LetterID {
	if r.Stream.ID != "" {
		return 0
	}
	return LetterID(r.Seq)
}

// size is about what a letter takes.
func (d *DeadLetter) size() uint64 {
	return uint64(len(d.Record.Message) + len(d.Words) + len(d.Record.Call) + len(d.Record.MessageID))
}
