package assembly

import (
	"strings"
	"time"
	"unicode"

	"example.com/steno/ingest/dialect"
)

// Piece is words that stand, as one event brought them.
type Piece struct {
	ID   ID
	Text string

	named      bool // the engine has a name for it, and may send a better version
	glued      bool
	start, end dialect.Instant
	clock      *clock
	at         time.Time // of arrival
}

// Utterance is one turn of one speaker.
type Utterance struct {
	Channel, Speaker string // the engine's names
	Start, End       int64  // ms since the epoch; End is never before Start
	Text             string
	Pieces           []Piece   // what it is made of; never empty
	Arrived          time.Time // the newest of them
}

// turn is an utterance under way.
type turn struct {
	channel, speaker string
	pieces           []Piece
	began, heard     time.Time // arrival of the first piece, and of the newest words
	bytes            int
	held             time.Time // closed, and kept back until then; zero: not
}

// newest is the piece that came last.
func (t *turn) newest() *Piece { return &t.pieces[len(t.pieces)-1] }

// add appends a piece.
func (t *turn) add(p Piece) {
	t.pieces = append(t.pieces, p)
	t.bytes += len(p.Text) + 1
	t.heard = p.at
}

// find returns the piece of a name, or nil.
func (t *turn) find(id ID) *Piece {
	for i := range t.pieces {
		if t.pieces[i].ID == id {
			return &t.pieces[i]
		}
	}
	return nil
}

// text joins pieces: glued ones as they are, others by a space.
func text(pieces []Piece) string {
	var b strings.Builder
	for i := range pieces {
		if i > 0 && !pieces[i].glued {
			b.WriteByte(' ')
		}
		b.WriteString(pieces[i].Text)
	}
	return strings.TrimSpace(b.String())
}

// wordless is true for texts in which nothing is said.
func wordless(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSpace(r) }) < 0
}
