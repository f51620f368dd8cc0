// Package spool keeps every acknowledged utterance until it is settled:
// delivered to Salesforce or rejected.
//
//	engines → ingest → [batcher/spool] → batcher → sfclient → Salesforce
//	             ↑ack        └── settled ──┘
//
// What it promises: a record is safe when Append returns; records are read in
// the order in which they were appended; a record stays until it is settled;
// at every moment accepted = delivered + rejected + pending; a rejected record
// stays as a dead letter until somebody retries or drops it.
//
// Memory is the spool for tests and for those who can do without durability;
// spooltest holds the suite that every Spool passes.
package spool

import (
	"context"
	"errors"
	"time"
)

// ErrClosed is returned by a Spool that has been closed.
var ErrClosed = errors.New("spool is closed")

// Spool is the queue between ingest and batcher. Its methods may be called
// from many goroutines at once, except Read, which has one reader.
type Spool interface {
	// Append stores a group of records, all or none, in their order, and
	// returns when they are safe. While one group is being made safe, groups
	// that wait may be joined into the next write. When the spool is full
	// Append waits for room. After an error nobody knows whether the group is
	// stored: whoever sends it again must use the same stream, seq and
	// message id.
	//
	// The records are the spool's from then on: it sets their Position, and Read
	// may return the same ones. Nobody changes them any more, nor what they point
	// to. The group itself is the caller's again once Append has returned nil.
	Append(ctx context.Context, group []*Record) error

	// Read waits until there are records that it has not returned yet, and puts
	// the oldest into buf, in the order of Append. The first Read after
	// opening starts at the oldest record that is not settled. A done ctx ends
	// the waiting, not the reading: what is there is returned first, so a
	// reader that drains reads until it gets ctx's error. A record is the
	// reader's to look at for as long as it likes: the spool lets go of it when
	// it is settled.
	Read(ctx context.Context, buf []*Record) (int, error)

	// Settle records what became of records that were read, in any order. A
	// settled record's text is gone, unless a dead letter keeps it. It does not
	// wait for a disk: a rejection that a crash undoes happens again. The
	// settlements are the caller's again once it has returned.
	Settle(settled ...Settlement) error

	// Recover returns what ingest must know of streams from before the
	// opening. It is called once, before the first Append.
	Recover(ctx context.Context) (Recovery, error)

	// Forget drops what the spool remembers of a stream for Recover, once
	// nobody may resume it any more.
	Forget(StreamID) error

	// DeadLetters returns the rejected utterances that are kept. They live as
	// long as the spool: where it is durable, over restarts.
	DeadLetters() DeadLetters

	// Account returns the sums so far, all of one moment.
	Account() Account

	// Health says why an Append of this moment would fail or wait for long;
	// nil: it would not.
	Health() error

	// Close releases what the spool holds. Records that are not settled stay
	// for the next opening where the spool is durable.
	Close() error
}

// Position numbers records in the order of Append, from 1. It says nothing
// about time, and two records of one call may be far apart.
type Position uint64

// StreamID names one source of utterances of one call.
type StreamID struct {
	Org  string // empty: the only or the default org
	Call string // the vendorCallKey that the client opened the stream with
	ID   string // the client's own name for the stream
}

// Record is one utterance, or the mark that a call has ended.
type Record struct {
	Position Position // set by the spool

	Org  string // empty: the only or the default org
	Call string // the vendorCallKey that the transcript goes out under: a transfer's parent, else the stream's own

	Ended bool // the mark: no utterance follows in this call; of the fields below only Received is set: the end

	Stream    StreamID // ID is empty for what came in over HTTP
	Epoch     string   // the life of the stream that Seq counts in
	Seq       uint64   // the utterance's number in its stream, from 1; 0 over HTTP; of a retry its dead letter's number
	MessageID string   // unique in the call; the same in every repeat
	Also      []string // of an utterance made of several pieces: the ids of those behind the first, for Recover
	Speaker   string   // the participantId: one entry, one speaker
	Urgent    bool     // waits for no company
	Spoken    time.Time
	Received  time.Time // read from the socket
	Message   []byte    // Salesforce's message object as canonical JSON, rendered once
}

// Settlement says what became of a record.
type Settlement struct {
	Position Position
	Rejected string      // the reason, a short word of a closed set; empty: delivered
	Dead     *DeadLetter // of a rejected utterance, what is kept; nil: nothing is
}

// StreamMark is how far a stream has come.
type StreamMark struct {
	Stream StreamID
	Call   string // the vendorCallKey its transcripts go out under
	Epoch  string
	Acked  uint64 // the highest seq that is safe
	At     time.Time
}

// Recovery is what a spool knew before it was opened.
type Recovery struct {
	Streams []StreamMark
	Recent  []Sighting
}

// Sighting is a message id, or one of those that it stands for too, that was
// accepted in a call. A spool keeps them for as long as a stream may be
// resumed.
type Sighting struct {
	Org, Call string
	MessageID string
	At        time.Time
}

// Account is the spool's bookkeeping. Accepted = Delivered + the sum of
// Rejected + Pending, in every Account ever returned.
type Account struct {
	Accepted  uint64            // utterances that became safe, and those found pending at the opening
	Delivered uint64            // utterances that Salesforce has accepted
	Rejected  map[string]uint64 // utterances given up, by reason
	Pending   uint64            // utterances that are safe and not settled
	Oldest    time.Time         // when the oldest pending utterance was received; zero: none is pending
	Bytes     uint64            // of the pending messages
}
