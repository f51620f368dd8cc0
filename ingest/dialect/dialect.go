package dialect

import (
	"errors"
	"net/url"
	"slices"
)

// Kind is what an event means.
type Kind int

// The kinds. The zero Kind is none of them.
const (
	Partial  Kind = iota + 1 // words that may change: for the monitor only
	Piece                    // words that stand, of an utterance that may go on
	Final                    // words that stand, and end their utterance; Text may be empty: then the pieces before are all of it
	Boundary                 // an utterance is over; without Channel on all channels
	Revision                 // what was final before is changed: too late, counted
	Begin                    // the engine's session begins
	End                      // the engine's session is over: nothing follows in it
	Failure                  // the engine reports an error in its own words, which are Text
	Noise                    // understood, and of no interest: keep-alives, acknowledgements, news
	Unknown                  // a type of message that this dialect does not know
)

var kindWords = [...]string{
	Partial: "partial", Piece: "piece", Final: "final", Boundary: "boundary", Revision: "revision",
	Begin: "begin", End: "end", Failure: "failure", Noise: "noise", Unknown: "unknown",
}

func (k Kind) String() string {
	if k < Partial || k > Unknown {
		return "none"
	}
	return kindWords[k]
}

// Event is one thing that a frame says. What the engine leaves out is zero.
type Event struct {
	Kind Kind

	Text string // of Partial, Piece, Final, Failure; trimmed unless Glued
	// Glued says that Text brings its own white space along: pieces of such
	// texts are joined as they are, others by one space.
	Glued bool

	// Start and End are of the words, and no End is before its Start. Begin:
	// Start is the session's time zero, where the engine knows it.
	Start, End Instant

	Channel string // the engine's name of the channel or track, as ?channel.NAME= gives it; empty: the engine knows one only
	Speaker string // the engine's label of who speaks within the channel; empty: not told

	// ID is the engine's own name for the words, the same when it sends them
	// again; empty: the engine has none. It is unique within Session and
	// Channel; where Session is empty, because the beginning was missed, only
	// together with Start. Unique says that it is so by itself, whatever the
	// session.
	ID     string
	Unique bool
	// Hold says that a better version of this Final may follow under the same
	// ID: it is kept back for a moment and replaced.
	Hold bool

	// Session is the engine's name of its session, in which ID is unique and
	// times count. It stands on Begin, and on every event of an engine that
	// repeats it.
	Session string

	// Call is what the engine's free-form slot, or the engine itself, knows of
	// the call. It stands on Begin only.
	Call Call

	// Reply is what the engine waits for as an answer to this frame. It is to
	// be sent once what the frame brought is safe.
	Reply []byte
}

// Call is what an engine's start message says of the call. The URL wins.
type Call struct {
	Key      string            // vendorCallKey
	Org      string            //
	Start    int64             // ms since the epoch; 0: not told
	Channels map[string]string // as in ?channel.NAME=: sender type, or sender type:participantId
}

// Decoder reads the frames of one connection, or of one session that pushes
// over HTTP, in their order. It is used by one goroutine.
type Decoder interface {
	// Decode calls emit for each event of the frame, in their order; there may
	// be none. The bytes are the caller's again afterwards. The events' strings
	// are valid UTF-8; who keeps one for long clones it, as it may keep a copy
	// of the whole frame. After an error events may have been emitted; the
	// decoder takes the next frame as if this one had not been. Errors wrap
	// ErrAudio where the frame holds audio; their text names the fault and
	// never holds speech.
	Decode(frame []byte, emit func(Event)) error

	// Finish says that no frame follows. It emits, as Final, words that the
	// engine would have made final with the next frame.
	Finish(emit func(Event))
}

var (
	// ErrAudio is in the error for a frame of audio: Steno takes text.
	ErrAudio = errors.New("this is audio: Steno takes the text that a speech engine makes of it")
	// ErrFrame is in the error for a frame that is not of the dialect.
	ErrFrame = errors.New("not a frame of this dialect")
)

// Options are what the one who connects may choose.
type Options struct {
	// Values is the query of the door. A decoder takes its own options from it.
	Values url.Values
	// Partials asks for events of kind Partial. Without it a decoder may drop
	// them unread.
	Partials bool
}

// Dialect is one engine's format.
type Dialect struct {
	Name string // as it stands in the door's path
	// Subprotocols are the WebSocket subprotocols that its clients offer and
	// want to see chosen, beside steno.v1. None: any that is offered is taken.
	Subprotocols []string
	// Post says that the engine pushes over HTTP, Socket that it or its relay
	// speaks over a WebSocket.
	Post, Socket bool
	// New returns a decoder. The error names the option and its fault.
	New func(Options) (Decoder, error)
}

// All lists the dialects by name.
func All() []Dialect { return slices.Clone(dialects) }

// Lookup finds a dialect by its name.
func Lookup(name string) (Dialect, bool) {
	i := slices.IndexFunc(dialects, func(d Dialect) bool { return d.Name == name })
	if i < 0 {
		return Dialect{}, false
	}
	return dialects[i], true
}
