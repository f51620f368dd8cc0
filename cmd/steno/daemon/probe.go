package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"

	"example.com/steno/ingest/client"
)

// Probe sends marked utterances of a test call through the whole flow, door,
// spool, batcher and Salesforce, and measures how long each takes: where nobody
// speaks at night, nobody else would notice before the morning.
type Probe struct {
	URL    string // of the daemon's door
	Token  string // one that opens it; empty: none is needed
	Call   string // the test call's vendorCallKey; Salesforce must know it
	Dialer *websocket.Dialer

	client *client.Client
	stream *client.Stream
	news   chan delivery
}

// delivery is what the daemon tells of an utterance.
type delivery struct {
	seq    uint64
	nacked error
}

// ErrProbeLost is in the error of a probe that was not delivered in time.
var ErrProbeLost = errors.New("the probe has not reached Salesforce")

// NewProbe returns the probe of the daemon at these settings, which listens at
// doors.
func (s *Settings) NewProbe(doors string) (*Probe, error) {
	host, port, err := net.SplitHostPort(doors)
	if err != nil {
		return nil, fmt.Errorf("%w: %sLISTEN: %w", ErrSettings, Prefix, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	p := &Probe{URL: "ws://" + net.JoinHostPort(host, port) + "/v1/ingest", Call: s.ProbeCall}
	if len(s.IngestTokens) > 0 {
		p.Token = s.IngestTokens[0]
	}
	return p, nil
}

// Run keeps the probe connected while use runs, and returns use's error.
func (p *Probe) Run(ctx context.Context, use func(context.Context) error) error {
	ctx, hangUp := context.WithCancel(ctx)
	p.news = make(chan delivery, 64)
	var err error
	p.client, err = client.New(client.Config{
		URL: p.URL, Token: p.Token, Dialer: p.Dialer,
		OnDelivered: func(_ string, seq uint64, _ time.Duration) { p.tell(delivery{seq: seq}) },
		OnNack: func(n client.Nack) {
			p.tell(delivery{seq: n.Seq, nacked: fmt.Errorf("refused: %s: %s", n.Code, n.Text)})
		},
	})
	if err == nil {
		// A stream of its own each time: its seqs begin at 1.
		p.stream, err = p.client.Open(client.Open{Stream: fmt.Sprintf("steno-probe-%d", time.Now().UnixNano()), VendorCallKey: p.Call, Events: []string{"delivered"}})
	}
	if err != nil {
		hangUp()
		return fmt.Errorf("open the probe's stream: %w", err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = p.client.Run(ctx) }) // what it could not do, Send tells
	defer running.Wait()
	defer hangUp()
	return use(ctx)
}

// tell never waits: nobody listens to what comes too late.
func (p *Probe) tell(d delivery) {
	select {
	case p.news <- d:
	default:
	}
}

// Send sends one utterance and returns how long it took until Salesforce had
// accepted it. It gives up after patience.
func (p *Probe) Send(ctx context.Context, patience time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := time.Now()
	now := begun.UnixMilli()
	seq, err := p.stream.Send(ctx, client.Utterance{SenderType: "VIRTUAL_AGENT", StartTime: now, EndTime: now, Content: "[Steno probe]"})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrProbeLost, err)
	}
	for {
		select {
		case d := <-p.news:
			switch {
			case d.seq != seq: // an older one's, which had been given up
			case d.nacked != nil:
				return 0, fmt.Errorf("%w: %w", ErrProbeLost, d.nacked)
			default:
				return time.Since(begun), nil
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("%w within %v: it was not acknowledged, or not accepted; see the monitor page", ErrProbeLost, patience)
		}
	}
}

// probing is a pipeline's own use of the probe.
type probing struct {
	delivered, lost *metrics.Counter
	took            *metrics.Gauge // seconds of the last one; NaN: none was delivered
}

func newProbing(set *metrics.Set) probing {
	p := probing{
		delivered: set.NewCounter(`steno_probes_total{outcome="delivered"}`),
		lost:      set.NewCounter(`steno_probes_total{outcome="lost"}`),
		took:      set.NewGauge("steno_probe_seconds", nil),
	}
	p.took.Set(math.NaN())
	return p
}

// probe sends an utterance every STENO_PROBE until ctx is done. A lost one is
// logged once, until one arrives again.
func (p *pipeline) probe(ctx context.Context) error {
	if p.settings.Probe == 0 || p.settings.ProbeCall == "" || p.cfg.doors == nil {
		return nil
	}
	probe, err := p.settings.NewProbe(p.cfg.doors())
	if err != nil {
		return err
	}
	probe.Dialer = p.cfg.dialer
	return probe.Run(ctx, func(ctx context.Context) error {
		every := time.NewTicker(p.settings.Probe)
		defer every.Stop()
		for losing := false; ; {
			select {
			case <-every.C:
			case <-ctx.Done():
				return nil
			}
			took, err := probe.Send(ctx, p.settings.Probe)
			if ctx.Err() != nil {
				return nil
			}
			losing = p.probed(took, err, losing)
		}
	})
}

// probed books a probe and returns whether it was lost.
func (p *pipeline) probed(took time.Duration, err error, losing bool) bool {
	if err != nil {
		p.probing.lost.Inc()
		p.probing.took.Set(math.NaN())
		if !losing {
			p.log.Error("a probe was lost", "cause", err)
		}
		return true
	}
	p.probing.delivered.Inc()
	p.probing.took.Set(took.Seconds())
	if losing {
		p.log.Info("probes arrive again")
	}
	return false
}
