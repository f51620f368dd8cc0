package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The names of the streams and their subjects. The partition is part of
// the subject, so that more of them need no migration.
const (
	frameStream    = "STENO_SPOOL"
	noteStream     = "STENO_SETTLED"
	letterStream   = "STENO_DEADLETTERS"
	frameSubjects  = "steno.spool.>"
	noteSubjects   = "steno.settled.>"
	letterSubjects = "steno.dead.>"

	duplicateWindow = 2 * time.Minute
	requestTimeout  = 2 * time.Second
)

func frameSubject(partition uint16) string  { return fmt.Sprintf("steno.spool.p%d", partition) }
func noteSubject(partition uint16) string   { return fmt.Sprintf("steno.settled.p%d", partition) }
func letterSubject(partition uint16) string { return fmt.Sprintf("steno.dead.p%d", partition) }

// store is JetStream as the spool uses it: publish one message, fetch many in
// order, purge a prefix. Writing and reading have a connection each: the server
// serves a fetch on the reader's own goroutine, and an acknowledgement must not
// wait for that.
type store struct {
	write, fetches *nats.Conn
	js             jetstream.JetStream
}

// connect opens the two connections, to the embedded server or to url.
func connect(url string, in *embedded) (*store, error) {
	options := []nats.Option{
		nats.Name("steno spool"), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1), // a frame waits with us, not in a connection that is down
	}
	if in != nil {
		url = nats.DefaultURL
		options = append(options, nats.InProcessServer(in))
	}
	write, err := nats.Connect(url, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the spool's store: %w", err)
	}
	reads, err := nats.Connect(url, options...)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("connect to the spool's store: %w", err)
	}
	js, err := jetstream.New(write, jetstream.WithPublishAsyncTimeout(requestTimeout))
	if err != nil {
		write.Close()
		reads.Close()
		return nil, fmt.Errorf("speak to the spool's store: %w", err)
	}
	return &store{write, reads, js}, nil
}

func (s *store) close() {
	s.fetches.Close()
	s.write.Close()
}

// exists says whether a stream is there.
func (s *store) exists(ctx context.Context, name string) (bool, error) {
	_, err := s.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	return err == nil, err
}

// prepare makes the streams, or brings their limits up to date.
func (s *store) prepare(ctx context.Context, cfg Config) error {
	for _, c := range []jetstream.StreamConfig{
		{Name: frameStream, Subjects: []string{frameSubjects}, MaxBytes: cfg.MaxBytes},
		{Name: noteStream, Subjects: []string{noteSubjects}, MaxBytes: -1},
		{Name: letterStream, Subjects: []string{letterSubjects}, MaxBytes: -1}, // spool.Sweep bounds it
	} {
		c.Storage, c.Retention, c.Discard = jetstream.FileStorage, jetstream.LimitsPolicy, jetstream.DiscardNew
		c.Replicas, c.Duplicates, c.AllowDirect = cfg.Replicas, duplicateWindow, true
		if _, err := s.js.CreateOrUpdateStream(ctx, c); err != nil {
			return fmt.Errorf("make the stream %s: %w", c.Name, err)
		}
	}
	return nil
}

// publish returns once the message is as safe as the stream makes it. The
// same id again is stored once.
func (s *store) publish(ctx context.Context, subject, id string, data []byte) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m := &nats.Msg{Subject: subject, Data: data}
	options := []jetstream.PublishOpt{jetstream.WithRetryAttempts(0)}
	if id != "" {
		options = append(options, jetstream.WithMsgID(id))
	}
	ack, err := s.js.PublishMsg(ctx, m, options...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// purge removes every message below seq.
func (s *store) purge(ctx context.Context, stream string, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	at, err := s.js.Stream(ctx, stream)
	if err == nil {
		err = at.Purge(ctx, jetstream.WithPurgeSequence(seq))
	}
	if err != nil {
		return fmt.Errorf("purge %s below %d: %w", stream, seq, err)
	}
	return nil
}

func (s *store) state(ctx context.Context, stream string) (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	at, err := s.js.Stream(ctx, stream)
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("ask for the state of %s: %w", stream, err)
	}
	return at.CachedInfo().State, nil
}

// isFull tells a stream at its limit from one in trouble.
func isFull(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	const storeFailed, storageResources, accountResources = 10077, 10047, 10002
	switch api.ErrorCode {
	case storeFailed:
		return strings.Contains(api.Description, "maximum bytes exceeded")
	case storageResources, accountResources:
		return true
	}
	return false
}

// page is what one fetch asks for.
type page struct {
	Seq      uint64 `json:"seq"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

// errNothing is the answer where there is no readable message at seq.
var errNothing = errors.New("no message there")

// fetch calls f with messages from seq on, in order, about maxBytes of them,
// and returns where to continue. The data is f's to keep.
func (s *store) fetch(ctx context.Context, stream string, from page, f func(seq uint64, data []byte)) (next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
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
	if err := s.fetches.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, request); err != nil {
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
		next, err := s.fetch(ctx, stream, page{Seq: seq, Batch: 16384, MaxBytes: 4 << 20}, func(seq uint64, data []byte) {
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

// maxMessage is the largest frame that the server takes.
func (s *store) maxMessage() int {
	if n := s.write.MaxPayload(); n > 0 {
		return int(n)
	}
	return maxPayload
}

// reconnect looks for the new server at once.
func (s *store) reconnect() {
	s.write.ForceReconnect()
	s.fetches.ForceReconnect()
}
