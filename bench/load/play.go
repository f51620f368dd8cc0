package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/bench/workload"
)

// Config is one measurement.
type Config struct {
	URL         string // of the door
	Token       string
	Connections int
	Shape       Shape
	Recording   []workload.Call
	Key         string        // begins the key of every call
	Sink        *Sink         // nil: the org is elsewhere, and only the door is measured
	Process     *Process      // what is measured; nil: its CPU and memory are not
	Idle        time.Duration // how long the calls are open before the first word
	Settle      time.Duration // how long to wait for what is under way, while nothing comes
}

// Check names the first thing in the config that makes no sense.
func (cfg Config) Check() error {
	if scheme, _, _ := strings.Cut(cfg.URL, "://"); scheme != "ws" && scheme != "wss" {
		return fmt.Errorf("the door's URL is %q: must begin with ws:// or wss://", cfg.URL)
	}
	if cfg.Connections < 1 {
		return fmt.Errorf("connections is %d: must be at least 1", cfg.Connections)
	}
	return cfg.Shape.check()
}

// player is a load under way.
type player struct {
	cfg      Config
	speakers []*speaker
	late     histogram // how far the generator itself was behind
	said     uint64
	broken   int // connections that ended by themselves
}

// Play runs a load to its end and reports. The load is over when everything
// said has reached the sink, or when nothing has come for Settle.
func Play(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg.Connections = min(cfg.Connections, cfg.Shape.Calls)
	p := &player{cfg: cfg}
	var usage usage
	usage.Alone = cfg.Process.memory()
	if err := p.connect(ctx); err != nil {
		p.hangUp()
		return nil, err
	}
	var listening sync.WaitGroup
	begin := time.Now().Add(cfg.Idle)
	for i, s := range p.speakers {
		s.begin = begin
		listening.Go(s.listen)
		for call := i; call < cfg.Shape.Calls; call += len(p.speakers) {
			s.open(call)
		}
		if err := s.flush(); err != nil {
			return nil, fmt.Errorf("open the calls: %w", err)
		}
	}
	if err := waitUntil(ctx, begin); err != nil {
		return nil, err
	}
	usage.Idle = cfg.Process.memory()
	if cfg.Sink != nil {
		cfg.Sink.book.start(begin)
	}
	before := cfg.Process.cpu()
	err := p.play(ctx, begin)
	if err == nil {
		err = p.settle(ctx)
	}
	usage.CPU = cfg.Process.cpu() - before
	usage.After, usage.Peak = cfg.Process.memory(), cfg.Process.peak()
	usage.Runtime = cfg.Process.runtime(ctx)
	for _, s := range p.speakers {
		if _, err := s.pending(); err != nil {
			p.broken++
		}
	}
	p.hangUp()
	listening.Wait()
	return p.report(usage), err
}

// connect makes the connections, some at a time.
func (p *player) connect(ctx context.Context) error {
	p.speakers = make([]*speaker, p.cfg.Connections)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for i := range p.speakers {
		g.Go(func() (err error) {
			p.speakers[i], err = dial(ctx, p.cfg.URL, p.cfg.Token, p.cfg.Key)
			return err
		})
	}
	return g.Wait()
}

func (p *player) hangUp() {
	for _, s := range p.speakers {
		if s != nil {
			s.raw.Close()
		}
	}
}

func (p *player) play(ctx context.Context, begin time.Time) error {
	if p.cfg.Shape.Kind == Flat {
		return p.flat(ctx)
	}
	for u := range p.cfg.Shape.utterances(p.cfg.Recording) {
		due := begin.Add(u.Due)
		if err := waitUntil(ctx, due); err != nil {
			return err
		}
		s := p.speakers[u.Slot%len(p.speakers)]
		s.say(&u)
		if err := s.flush(); err != nil {
			return fmt.Errorf("say utterance %d: %w", p.said, err)
		}
		p.said++
		p.late.add(time.Since(due))
	}
	return nil
}

// window is how many utterances a connection has unacknowledged at most when
// it speaks as fast as it can. It is below the daemon's own window, which would
// stop reading.
const window = 200

// together is how many frames go out in one write when speaking as fast as can be.
const together = 25

// flat lets every connection speak as fast as its acknowledgements allow.
func (p *player) flat(ctx context.Context) error {
	share := p.shares()
	ctx, over := context.WithTimeoutCause(ctx, p.cfg.Shape.Duration, errTime)
	defer over()
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range p.speakers {
		g.Go(func() error {
			for _, u := range share[i] {
				u.Due = time.Since(s.begin)
				s.say(&u)
				if s.said%together == 0 {
					if err := s.flush(); err != nil {
						return err
					}
					if err := s.waitForRoom(ctx); err != nil {
						return err
					}
				}
			}
			return s.flush()
		})
	}
	err := g.Wait()
	for _, s := range p.speakers {
		p.said += s.said
	}
	if errors.Is(err, errTime) {
		return nil
	}
	return err
}

var errTime = errors.New("the time of the load is over")

// shares deals the utterances of a flat load out to the connections.
func (p *player) shares() [][]Utterance {
	share := make([][]Utterance, len(p.speakers))
	for u := range p.cfg.Shape.utterances(p.cfg.Recording) {
		i := u.Slot % len(share)
		share[i] = append(share[i], u)
	}
	return share
}

func (s *speaker) waitForRoom(ctx context.Context) error {
	for {
		n, err := s.pending()
		if err != nil || n+together <= window {
			return err
		}
		select {
		case <-s.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// settle waits for what is under way.
func (p *player) settle(ctx context.Context) error {
	quiet := time.Now()
	for seen := uint64(0); time.Since(quiet) < p.cfg.Settle; {
		arrived, unacked := p.said, 0
		if p.cfg.Sink != nil {
			arrived, _ = p.cfg.Sink.book.delivered()
		}
		for _, s := range p.speakers {
			n, _ := s.pending()
			unacked += n
		}
		if arrived >= p.said && unacked == 0 {
			return nil
		}
		if now := arrived - uint64(unacked); now != seen {
			seen, quiet = now, time.Now()
		}
		if err := waitUntil(ctx, time.Now().Add(10*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func waitUntil(ctx context.Context, at time.Time) error {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
