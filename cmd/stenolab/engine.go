package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/bench/workload"
	"example.com/steno/ingest/client"
)

// agentID is the Salesforce user that speaks as the agent of every call.
const agentID = "005xx000001Sv6AAAS"

// engine plays recorded calls to a daemon: one stream a call, with a channel
// for each party, as a telephony system with a speech engine would.
type engine struct {
	clients []*client.Client
	key     func(workload.Arrival) string // the call's vendorCallKey
	urgent  int                           // every so many utterances one is urgent; 0: none
	ledger  *ledger                       // told of every utterance before it is sent

	begin   time.Time
	streams map[string]*client.Stream // open, by vendorCallKey
	ended   errgroup.Group            // streams that are being closed
	played  int
}

// newEngine returns an engine with so many connections to the daemon at url.
// Its ledger hears of what the daemon and Salesforce acknowledge.
func newEngine(url, token string, connections int, log *slog.Logger) (*engine, error) {
	e := &engine{ledger: newLedger(), streams: map[string]*client.Stream{}}
	for range connections {
		c, err := client.New(client.Config{
			URL: url, Token: token, Log: log,
			OnAck: e.ledger.acked, OnNack: e.ledger.refused,
			OnDelivered: func(stream string, seq uint64, _ time.Duration) { e.ledger.delivered(stream, seq) },
		})
		if err != nil {
			return nil, err
		}
		e.clients = append(e.clients, c)
	}
	return e, nil
}

// run plays the arrivals and returns when all of them are acknowledged and
// every stream has ended, or with an error.
func (e *engine) run(ctx context.Context, arrivals iter.Seq[workload.Arrival]) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range e.clients {
		g.Go(func() error { return c.Run(ctx) })
	}
	g.Go(func() error {
		if err := e.play(ctx, arrivals); err != nil {
			return err
		}
		for _, c := range e.clients {
			if err := c.Close(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// play sends each utterance at its time, whatever became of those before it.
func (e *engine) play(ctx context.Context, arrivals iter.Seq[workload.Arrival]) error {
	e.begin = time.Now()
	for a := range arrivals {
		if err := waitUntil(ctx, e.begin.Add(a.At)); err != nil {
			return err
		}
		if err := e.say(ctx, a); err != nil {
			return err
		}
	}
	for key := range e.streams {
		e.end(ctx, key)
	}
	return e.ended.Wait()
}

func waitUntil(ctx context.Context, at time.Time) error {
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// say sends one utterance, and ends its call with the last.
func (e *engine) say(ctx context.Context, a workload.Arrival) error {
	key := e.key(a)
	s, err := e.stream(a, key)
	if err != nil {
		return err
	}
	e.played++
	u := client.Utterance{
		MessageID: fmt.Sprintf("%s/%d", key, a.Nth), Channel: a.Role.String(), Content: a.Text,
		StartTime: e.begin.Add(a.From).UnixMilli(), EndTime: e.begin.Add(a.To).UnixMilli(),
		Urgent: e.urgent > 0 && e.played%e.urgent == 0,
	}
	e.ledger.said(key, u.MessageID, e.begin.Add(a.At))
	if _, err := s.Send(ctx, u); err != nil {
		return fmt.Errorf("send utterance %s: %w", u.MessageID, err)
	}
	if a.Last {
		e.end(ctx, key)
	}
	return nil
}

// stream is the call's stream, opened with its first utterance.
func (e *engine) stream(a workload.Arrival, key string) (*client.Stream, error) {
	if s := e.streams[key]; s != nil {
		return s, nil
	}
	s, err := e.clients[a.Slot%len(e.clients)].Open(client.Open{
		Stream: key, VendorCallKey: key, StartTime: e.begin.Add(a.Began).UnixMilli(), Events: []string{"delivered"},
		Channels: map[string]client.Channel{
			workload.Agent.String():  {ParticipantID: agentID, SenderType: "HUMAN_AGENT"},
			workload.Caller.String(): {SenderType: "END_USER"},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open call %s: %w", key, err)
	}
	e.streams[key] = s
	return s, nil
}

// end ends a call without holding up the others.
func (e *engine) end(ctx context.Context, key string) {
	s := e.streams[key]
	delete(e.streams, key)
	e.ended.Go(func() error {
		if err := s.Close(ctx, "end"); err != nil {
			return fmt.Errorf("end call %s: %w", key, err)
		}
		return nil
	})
}

// ledger is what the engines know: what they said, when, and what was
// acknowledged of it. The hooks of many clients write to it.
type ledger struct {
	mu         sync.Mutex
	calls      map[string]*spoken
	utterances int
	nacks      []client.Nack
	ackAfter   []time.Duration // from the time an utterance was due
	onConsole  []time.Duration // the same, until Salesforce had it
}

// spoken is one call's utterances in the order in which they were said.
type spoken struct {
	ids   []string
	due   []time.Time
	acked int
}

func newLedger() *ledger { return &ledger{calls: map[string]*spoken{}} }

func (l *ledger) said(key, id string, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls[key]
	if c == nil {
		c = &spoken{}
		l.calls[key] = c
	}
	c.ids, c.due = append(c.ids, id), append(c.due, due)
	l.utterances++
}

// acked hears that the utterances of a call up to seq are safe.
func (l *ledger) acked(key string, seq uint64) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls[key]
	for ; c != nil && c.acked < len(c.due) && uint64(c.acked) < seq; c.acked++ {
		l.ackAfter = append(l.ackAfter, now.Sub(c.due[c.acked]))
	}
}

func (l *ledger) refused(n client.Nack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nacks = append(l.nacks, n)
}

func (l *ledger) delivered(key string, seq uint64) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.calls[key]; c != nil && seq >= 1 && seq <= uint64(len(c.due)) {
		l.onConsole = append(l.onConsole, now.Sub(c.due[seq-1]))
	}
}

// want is each call's message ids in the order in which they were said.
func (l *ledger) want() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := map[string][]string{}
	for key, c := range l.calls {
		want[key] = c.ids
	}
	return want
}
