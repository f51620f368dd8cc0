package durable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// Opening a large store takes its time; a minute a hundred million frames.
	readyTimeout = 5 * time.Minute
	maxPayload   = 8 << 20
)

// embedded is JetStream inside the process. It listens on no port, and it can
// be started anew: after a write error JetStream refuses to write until then.
type embedded struct {
	options server.Options
	log     *bridge

	mu     sync.Mutex
	server *server.Server // guarded by mu
	closed bool           // guarded by mu
}

func serverOptions(cfg Config) server.Options {
	o := server.Options{
		ServerName: "steno-spool", DontListen: true, NoSigs: true,
		MaxPayload: maxPayload,
		JetStream:  true, StoreDir: cfg.Dir, DisableJetStreamBanner: true,
		JetStreamMaxMemory: 1 << 20,
		JetStreamMaxStore:  1 << 50, // no limit: the streams have their own
		SyncAlways:         cfg.Sync == SyncAlways,
		SyncInterval:       syncInterval,
		JetStreamKey:       cfg.Key,
		JetStreamCipher:    server.ChaCha,
	}
	if cfg.Cipher == "aes" {
		o.JetStreamCipher = server.AES
	}
	return o
}

func startEmbedded(ctx context.Context, cfg Config) (*embedded, error) {
	e := &embedded{options: serverOptions(cfg), log: &bridge{log: cfg.Log}}
	s, err := e.start(ctx)
	if err != nil {
		return nil, err
	}
	e.server = s
	return e, nil
}

// start returns a server that has read its streams. It gives up when ctx is
// done, as soon as JetStream has finished the stream that it is reading.
func (e *embedded) start(ctx context.Context) (*server.Server, error) {
	encrypted := e.options.JetStreamKey != ""
	if err := mendDescriptions(ctx, streamsIn(e.dir()), encrypted, e.log); err != nil {
		return nil, err
	}
	if !encrypted {
		if err := mendBlocks(ctx, e.dir(), e.log); err != nil {
			return nil, err
		}
	}
	options := e.options // the server writes into what it is given
	s, err := server.NewServer(&options)
	if err != nil {
		return nil, fmt.Errorf("make the spool's store in %s: %w", e.dir(), err)
	}
	s.SetLoggerV2(e.log, false, false, false)
	started := make(chan struct{})
	go func() {
		defer close(started)
		s.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		abandon(s, started)
		return nil, fmt.Errorf("start the spool's store in %s: %w", e.dir(), context.Cause(ctx))
	}
	if !s.ReadyForConnections(readyTimeout) || !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("the spool's store in %s did not start: %s", e.dir(), e.log.lastError())
	}
	return s, nil
}

// abandon ends a server that is still starting. One that is told to end before
// it has begun would begin all the same, and nobody would end it: so it is left
// until it reads its streams.
func abandon(s *server.Server, started <-chan struct{}) {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for begun := false; !begun; {
		select {
		case <-started:
			begun = true
		case <-look.C:
			begun = s.JetStreamEnabled()
		}
	}
	s.Shutdown()
	<-started
	s.WaitForShutdown()
}

func (e *embedded) dir() string { return filepath.Join(e.options.StoreDir, "jetstream") }

// InProcessConn makes a connection to the server of this moment, so that a
// connection finds the next one after a restart.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil {
		return nil, errors.New("the spool's store is being restarted")
	}
	return s.InProcessConn()
}

// healthy asks the server about its streams.
func (e *embedded) healthy() error {
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil {
		return errors.New("the spool's store is not running")
	}
	if h := s.Healthz(nil); h.Error != "" {
		return fmt.Errorf("the spool's store: %s", h.Error)
	}
	return nil
}

// restart puts a new server in the place of the one that cannot write any
// more. It has one caller at a time.
func (e *embedded) restart(ctx context.Context) error {
	e.stop()
	s, err := e.start(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	if !e.closed {
		e.server, s = s, nil
	}
	e.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
	return nil
}

func (e *embedded) stop() {
	e.mu.Lock()
	s := e.server
	e.server = nil
	e.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

func (e *embedded) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
}

// bridge is JetStream's log in ours. Its warnings and errors are counted:
// damage shows there first. JetStream logs names and numbers, no payload.
type bridge struct {
	log              *slog.Logger
	warnings, errors atomic.Uint64
	last             atomic.Pointer[string]
}

func (b *bridge) Noticef(format string, v ...any) {
	b.log.Debug("store", "detail", strings.TrimSpace(fmt.Sprintf(format, v...)))
}
func (b *bridge) Debugf(string, ...any) {}
func (b *bridge) Tracef(string, ...any) {}

// Warnf counts what is not about the store's configuration.
func (b *bridge) Warnf(format string, v ...any) {
	b.warnings.Add(1)
	b.log.Warn("the spool's store warns", "detail", strings.TrimSpace(fmt.Sprintf(format, v...)))
}

func (b *bridge) Errorf(format string, v ...any) {
	b.errors.Add(1)
	text := strings.TrimSpace(fmt.Sprintf(format, v...))
	b.last.Store(&text)
	b.log.Error("the spool's store reports an error", "detail", text)
}

// Fatalf must not end the process: that is main's to decide.
func (b *bridge) Fatalf(format string, v ...any) { b.Errorf(format, v...) }

func (b *bridge) lastError() string {
	if text := b.last.Load(); text != nil {
		return *text
	}
	return "no reason was given"
}
