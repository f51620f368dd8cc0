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
// order, purge a prefix. Writing and reading have a connection each: the server
// serves a fetch on the reader's own goroutine, and an acknowledgement must not
// wait for that.
type store struct {
	write, fetches *nats.Conn
	js             jetstream.JetStream
	replicas       int
}

// connect opens the two connections, to the embedded server or to url.
func connect(cfg Config, in *embedded) (*store, error) {
	url := cfg.URL
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
	return &store{write, reads, js, cfg.Replicas}, nil
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

// prepare makes the streams of notes and of dead letters, which spool.Sweep
// bounds.
func (s *store) prepare(ctx context.Context) error {
	for name, subjects := range map[string]string{noteStream: "steno.settled.>", letterStream: "steno.dead.>"} {
		if _, err := s.js.CreateOrUpdateStream(ctx, s.streamConfig(name, subjects)); err != nil {
			return fmt.Errorf("make the stream %s: %w", name, err)
		}
	}
	return nil
}

func (s *store) streamConfig(name, subjects string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{subjects}, MaxBytes: -1, MaxMsgs: -1,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		Replicas: s.replicas, Duplicates: duplicateWindow, AllowDirect: true,
	}
}

// publish returns once the message is as safe as the stream makes it. The
// same id again is stored once.
func (s *store) publish(ctx context.Context, subject, id string, data []byte, options ...jetstream.PublishOpt) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m := &nats.Msg{Subject: subject, Data: data}
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
	at, err := s.js.Stream(ctx, stream)
	if err == nil {
		err = at.Purge(ctx, jetstream.WithPurgeSequence(seq))
	}
	if err != nil {
		return fmt.Errorf("purge %s below %d: %w", stream, seq, err)
	}
	return nil
}

// states are those of every stream.
func (s *store) states(ctx context.Context) (map[string]jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	of := map[string]jetstream.StreamState{}
	list := s.js.ListStreams(ctx, jetstream.WithStreamListSubject("steno.>"))
	for info := range list.Info() {
		of[info.Config.Name] = info.State
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
	at, err := s.js.Stream(ctx, stream)
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
	at, err := s.js.Stream(ctx, stream)
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
