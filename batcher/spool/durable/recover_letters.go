package durable

import (
	"context"
	"errors"
	"fmt"

	"example.com/steno/batcher/spool"
)

// letterTail is how many letters are looked at together.
const letterTail = 512

// utteranceID tells utterances apart where positions might not: a store of
// which a part was made anew uses them again.
type utteranceID struct{ org, call, messageID string }

// retried is an utterance that was appended because its letter was retried.
type retried struct {
	letter spool.LetterID
	utteranceID
}

// readLetters finds the letters that were written and then not noted. They are
// the last ones: no note is written before the letters of all it calls settled.
func (r *reading) readLetters(ctx context.Context) error {
	store := r.s.store
	state, err := store.state(ctx, letterStream)
	if err != nil {
		return err
	}
	r.s.letters = spool.Kept{Letters: state.Msgs, Bytes: state.Bytes}
	r.countLetters(state.Msgs, state.LastSeq)
	r.dead = map[spool.Position]utteranceID{}
	for last := lastOf(state.Msgs, state.LastSeq); last > 0 && last >= state.FirstSeq; {
		first := max(state.FirstSeq, last-min(last, letterTail)+1)
		noted, unnoted := 0, 0
		_, err := store.fetchAll(ctx, letterStream, first, last, func(seq uint64, data []byte) {
			d, err := decodeLetter(spool.LetterID(seq), data)
			switch {
			case err != nil:
				r.s.cfg.Log.Error("a dead letter is damaged", "letter", seq, "error", err)
			case r.ledger.settled.has(d.Record.Position):
				noted++
			default:
				unnoted++
				r.dead[d.Record.Position] = utteranceID{d.Record.Org, d.Record.Call, d.Record.MessageID}
			}
		})
		if err != nil {
			return err
		}
		if noted > 0 && unnoted == 0 {
			break
		}
		last = first - 1
	}
	return nil
}

// countLetters compares what is there with what the notes say must be there,
// since JetStream tells nobody of a tail that it found torn.
func (r *reading) countLetters(there, last uint64) {
	c := &r.s.letterCount
	if must := c.last - min(c.last, c.dropped); there < must {
		r.s.harm(Damage{What: fmt.Sprintf("%d of %d dead letters are not on the disk any more", must-there, must)})
	}
	c.last = max(c.last, last)
	c.dropped = max(c.dropped, c.last-min(c.last, there))
}

// isDead says whether there is a letter of the utterance: it was rejected, and
// the note of it was not written.
func (r *reading) isDead(p spool.Position, v *view) bool {
	id, ok := r.dead[p]
	return ok && id == idOf(v)
}

func idOf(v *view) utteranceID {
	return utteranceID{string(v.org), string(v.call), string(v.messageID)}
}

// retry remembers the last utterances that are retries.
func (r *reading) retry(v *view) {
	if v.ended() || len(v.streamID) > 0 || v.seq == 0 {
		return
	}
	if len(r.retried) == 2*retryGroup {
		r.retried = append(r.retried[:0], r.retried[retryGroup:]...)
	}
	r.retried = append(r.retried, retried{spool.LetterID(v.seq), idOf(v)})
}

// finishRetries drops the letters whose retry was cut between its two steps.
func (r *reading) finishRetries(ctx context.Context) error {
	if r.s.cfg.Inspect {
		return nil
	}
	var ids []spool.LetterID
	for _, again := range r.retried {
		d, err := r.s.store.letter(ctx, again.letter)
		switch {
		case errors.Is(err, spool.ErrNoLetter), errors.Is(err, spool.ErrDamaged):
		case err != nil:
			return fmt.Errorf("finish a retry of dead letters: %w", err)
		case utteranceID{d.Record.Org, d.Record.Call, d.Record.MessageID} == again.utteranceID:
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	r.s.cfg.Log.Info("a retry of dead letters was cut short: it is finished", "letters", len(ids))
	_, err := deadLetters{r.s}.erase(ctx, ids)
	return err
}
