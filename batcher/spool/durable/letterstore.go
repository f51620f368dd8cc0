package durable

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool"
)

// overwriteAtMost is how many letters are overwritten on the disk when they are
// dropped together. JetStream rewrites a file of up to 8 MB for each, some 10
// ms; more of them are marked as gone, and their text is when their file is
// rewritten or removed.
const overwriteAtMost = 100

// message is what publishAll publishes.
type message struct {
	subject, id string
	data        []byte
}

// publishAll publishes messages without waiting for one before the next, and
// returns where those that are safe have come to lie, 0 for the others. Where
// one is not safe, err says why.
func (s *store) publishAll(ctx context.Context, messages []message) (seqs []uint64, err error) {
	acks := make([]jetstream.PubAckFuture, len(messages))
	seqs = make([]uint64, len(messages))
	for i, m := range messages {
		if acks[i], err = s.js.PublishMsgAsync(&nats.Msg{Subject: s.names.subject(m.subject), Data: m.data}, jetstream.WithMsgID(m.id)); err != nil {
			break
		}
	}
	for i, ack := range acks {
		if ack == nil {
			break
		}
		select {
		case stored := <-ack.Ok():
			seqs[i] = stored.Sequence
		case refused := <-ack.Err(): // after requestTimeout at the latest
			err = errors.Join(err, refused)
		case <-ctx.Done():
			return seqs, errors.Join(err, context.Cause(ctx))
		}
	}
	return seqs, err
}

// erase removes letters that are there.
func (s *store) erase(ctx context.Context, ids []spool.LetterID) (n int, err error) {
	at, err := s.js.Stream(ctx, s.names.stream(letterStream))
	if err != nil {
		return 0, fmt.Errorf("drop dead letters: %w", err)
	}
	remove := at.DeleteMsg
	if len(ids) <= overwriteAtMost {
		remove = at.SecureDeleteMsg
	}
	for _, id := range ids {
		if err := remove(ctx, uint64(id)); err != nil {
			return n, fmt.Errorf("drop dead letter %d: %w", id, err)
		}
		n++
	}
	return n, nil
}

// letter fetches the one letter of a number, with one request: a fetch
// subscribes too, and an export asks for a million.
func (s *store) letter(ctx context.Context, id spool.LetterID) (spool.DeadLetter, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.fetches.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+s.names.stream(letterStream), fmt.Appendf(nil, `{"seq":%d}`, id))
	if err != nil {
		return spool.DeadLetter{}, fmt.Errorf("fetch dead letter %d: %w", id, err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		return decodeLetter(id, m.Data)
	case "404":
		return spool.DeadLetter{}, fmt.Errorf("%w: %d", spool.ErrNoLetter, id)
	default:
		return spool.DeadLetter{}, fmt.Errorf("fetch dead letter %d: status %s %s", id, status, m.Header.Get("Description"))
	}
}
