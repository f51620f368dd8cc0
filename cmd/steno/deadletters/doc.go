// Package deadletters is what people do with rejected utterances: list, show,
// retry, drop and export them, on a running daemon over HTTP or on the directory
// of a stopped one.
//
//	engines → ingest → spool → batcher → sfclient → Salesforce
//	                     └ [dead letters] ┘ what was rejected
//
// Local acts on a spool, Handler serves a Local over HTTP, and Remote is its
// client: the commands see only Letters. Whatever lists or exports streams,
// however many there are; an export keeps some thirty bytes of each in memory,
// to put them in order.
//
// Dead letters hold what people said, and Salesforce's words may quote it. Text
// leaves by Show and Export only, and nothing is logged.
package deadletters

import (
	"context"
	"io"

	"example.com/steno/batcher/spool"
)

// ErrDamaged is in the error of dead letters that cannot be read.
var ErrDamaged = spool.ErrDamaged

// Letters is what can be done with dead letters, wherever they are. An error
// that is ErrDamaged says that some could not be read, and that all the
// others were dealt with.
type Letters interface {
	// List calls each with every letter that passes, without its text.
	List(ctx context.Context, f Filter, each func(Shown) error) error

	// Show returns one with its text and Salesforce's words. Where org is not
	// empty, it must be that org's.
	Show(ctx context.Context, org string, id uint64) (Shown, error)

	// Export writes those that pass as Salesforce's Connect upload takes them.
	Export(ctx context.Context, f Filter, w io.Writer) error

	// Change retries or drops what is selected and returns how many there were.
	Change(ctx context.Context, act Act, s Selection) (int, error)
}

// Act is what Change does.
type Act string

// The acts.
const (
	Retry Act = "retry"
	Drop  Act = "drop"
)
