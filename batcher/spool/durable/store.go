package durable

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The names of the streams: of the frames' first segment, which the others are
// named after, of the notes, and of the dead letters.
const (
	frameStream  = "STENO_SPOOL"
	noteStream   = "STENO_SETTLED"
	letterStream = "STENO_DEADLETTERS"

	requestTimeout = 2 * time.Second
	// duplicateWindow outlasts the next tries of a frame whose answer was lost.
	// JetStream keeps the name of every frame in memory for as long.
	duplicateWindow = 10 * requestTimeout
)

func noteSubject(partition uint16) string   { return fmt.Sprintf("steno.settled.p%d", partition) }
func letterSubject(partition uint16) string { return fmt.Sprintf("steno.dead.p%d", partition) }

// store is JetStream as the spool uses it: publish one message, fetch many in
// order, purge a prefix.
type store struct {
	*Connection
	shared   bool // the connection is not ours to close
	names    names
	replicas int
}

// connect opens a connection to the embedded server or to the URL, or takes the
// one that is shared.
func connect(cfg Config, in *embedded) (*store, error) {
	s := &store{Connection: cfg.Conn, shared: cfg.Conn != nil, names: names{cfg.Name}, replicas: cfg.Replicas}
	var err error
	switch {
	case s.shared:
	case in != nil:
		s.Connection, err = connectTo(nats.DefaultURL, embeddedTimeout, nats.InProcessServer(in))
	default:
		s.Connection, err = Connect(cfg.URL)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *store) close() {
	if !s.shared {
		s.Close()
	}
}

// exists says whether a stream is there.
func (s *store) exists(ctx context.Context, name string) (bool, error) {
	_, err := s.js.Stream(ctx, s.names.stream(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	return err == nil, err
}

// prepare makes the streams of notes and of dead letters, which spool.Sweep
// bounds. There may be a million letters.
func (s *store) prepare(ctx context.Context, notes fileSize) error {
	if err := s.makeStream(ctx, s.streamConfig(noteStream, "steno.settled.>"), notes); err != nil {
		return fmt.Errorf("make the stream %s: %w", noteStream, err)
	}
	if err := s.makeStream(ctx, s.streamConfig(letterStream, "steno.dead.>"), largeFiles); err != nil {
		return fmt.Errorf("make the stream %s: %w", letterStream, err)
	}
	return nil
}

func (s *store) streamConfig(name, subjects string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: s.names.stream(name), Subjects: []string{s.names.subject(subjects)}, MaxBytes: -1, MaxMsgs: -1,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		Replicas: s.replicas, Duplicates: duplicateWindow, AllowDirect: true,
	}
}

// publish returns once the message is as safe as the stream makes it. The
// same id again is stored once.
func (s *store) publish(ctx context.Context, subject, id string, data []byte, options ...jetstream.PublishOpt) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m := &nats.Msg{Subject: s.names.subject(subject), Data: data}
	options = append(options, jetstream.WithRetryAttempts(0))
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
	at, err := s.js.Stream(ctx, s.names.stream(stream))
	if err == nil {
		err = at.Purge(ctx, jetstream.WithPurgeSequence(seq))
	}
	if err != nil {
		return fmt.Errorf("purge %s below %d: %w", stream, seq, err)
	}
	return nil
}

// states are those of every stream of the spool.
func (s *store) states(ctx context.Context) (map[string]jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	of := map[string]jetstream.StreamState{}
	list := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(s.names.every()))
	for info := range list.Info() {
		if name, ok := s.names.ours(info.Config.Name); ok {
			of[name] = info.State
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("ask for the states of the streams: %w", err)
	}
	return of, nil
}

// rewrite has JetStream write the file anew that holds the message seq, and
// sync it: that is how it erases one.
func (s *store) rewrite(ctx context.Context, stream string, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	at, err := s.js.Stream(ctx, s.names.stream(stream))
	if err == nil {
		err = at.SecureDeleteMsg(ctx, seq)
	}
	if err != nil {
		return fmt.Errorf("write %s anew at %d: %w", stream, seq, err)
	}
	return nil
}

func (s *store) state(ctx context.Context, stream string) (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	at, err := s.js.Stream(ctx, s.names.stream(stream))
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("ask for the state of %s: %w", stream, err)
	}
	return at.CachedInfo().State, nil
}

// isFull tells a stream at its limit from one in trouble.
func isFull(err error) bool {
	if errors.Is(err, errFull) {
		return true
	}
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
