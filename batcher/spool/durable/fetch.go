package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// page is what one fetch asks for.
type page struct {
	Seq      uint64 `json:"seq"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

const fetchTimeout = 5 * requestTimeout

// maxBatch is the largest Batch. Room for as many messages is made for each
// fetch, so it is not larger than what pays.
const maxBatch = 2048

// errNothing is the answer where there is no readable message at seq.
var errNothing = errors.New("no message there")

// fetch calls f with messages from seq on, in order, about maxBytes of them,
// and returns where to continue. The data is f's to keep.
func (s *store) fetch(ctx context.Context, stream string, from page, f func(seq uint64, data []byte)) (next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	inbox := s.fetches.NewInbox()
	sub, err := s.fetches.SubscribeSync(inbox)
	if err != nil {
		return 0, fmt.Errorf("fetch from %s: %w", stream, err)
	}
	defer sub.Unsubscribe()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return 0, fmt.Errorf("fetch from %s: %w", stream, err)
	}
	request, err := json.Marshal(from)
	if err != nil {
		return 0, fmt.Errorf("fetch from %s: %w", stream, err)
	}
	if err := s.fetches.PublishRequest("$JS.API.DIRECT.GET."+s.names.stream(stream), inbox, request); err != nil {
		return 0, fmt.Errorf("fetch from %s: %w", stream, err)
	}
	next = from.Seq
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return 0, fmt.Errorf("fetch from %s at %d: %w", stream, next, err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("fetch from %s: a message without a sequence: %w", stream, err)
			}
			f(seq, m.Data)
			next = seq + 1
		case "204":
			return next, nil
		case "404":
			return next, errNothing
		default:
			return 0, fmt.Errorf("fetch from %s at %d: status %s %s", stream, from.Seq, status, m.Header.Get("Description"))
		}
	}
}

// fetchAll calls f with every readable message from first to last, and
// unreadable with each sequence that holds none.
func (s *store) fetchAll(ctx context.Context, stream string, first, last uint64, f func(seq uint64, data []byte)) (unreadable uint64, err error) {
	for seq := max(first, 1); seq <= last; {
		next, err := s.fetchPatiently(ctx, stream, page{Seq: seq, Batch: maxBatch, MaxBytes: 4 << 20}, func(seq uint64, data []byte) {
			if seq <= last {
				f(seq, data)
			}
		})
		switch {
		case errors.Is(err, errNothing):
			unreadable++
			next++
		case err != nil:
			return unreadable, err
		}
		seq = next
	}
	return unreadable, nil
}

// askAgain is how long nobody may answer for a stream before it is asked again:
// the servers of a cluster have just made it, or elect its leader.
const askAgain = 100 * time.Millisecond

// fetchPatiently is for who can do nothing else meanwhile: the reader has live
// speech to read.
func (s *store) fetchPatiently(ctx context.Context, stream string, from page, f func(seq uint64, data []byte)) (next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	for {
		next, err = s.fetch(ctx, stream, from, f)
		if !errors.Is(err, nats.ErrNoResponders) || ctx.Err() != nil {
			return next, err
		}
		rest(ctx, askAgain)
	}
}
