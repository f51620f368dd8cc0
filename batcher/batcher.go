package batcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"example.com/steno/batcher/spool"
)

// Config is what a Batcher works with.
type Config struct {
	Limits    Limits
	Name      string // among the siblings, where there are any
	Spool     spool.Spool
	Sender    Sender
	History   []Slot             // what an earlier Batcher's History returned, or nil: the forecast goes by it
	OnTaken   func([]*Utterance) // told of what was read, before any of it is sent; must not wait. nil: nobody is told
	OnSettled func([]Settled)    // told after the spool has been; must not wait. nil: nobody is told
	Metrics   *metrics.Set
	Log       *slog.Logger
}

// Batcher moves utterances from the spool to the sender.
type Batcher struct {
	cfg      Config
	packer   *packer
	meter    meter
	requests chan Request // to the goroutines that have carried one; without room: only to one that is free
	results  chan result  // from the requests in flight to the loop; has room for all of them
	usage    chan Usage   // size 1: the newest that Learn was told
	heard    chan heard
	leaving  chan struct{} // closed by Leave
	leave    sync.Once
	share    atomic.Pointer[Share]
	trouble  atomic.Int32
	pace     atomic.Pointer[Pace]
	history  atomic.Pointer[[]Slot]

	// The loop's own.
	taken       []*Utterance       // what take makes, empty between two of them
	settlements []spool.Settlement // what settle makes, likewise
	paceShown   time.Time          // the pace's next tick when it was last shown
	remembered  time.Time          // when history was last stored
}

// result is a request and what became of it.
type result struct {
	request Request
	outcome Outcome
}

// heard is a sibling's share.
type heard struct {
	from  string
	share Share
}

// maxHeld bounds the utterances taken out of the spool. Above it the batcher
// stops reading until some are settled; the spool keeps the rest.
const maxHeld = 20_000

// New returns a Batcher that waits for Run.
func New(cfg Config) *Batcher {
	b := &Batcher{
		cfg:      cfg,
		packer:   newPacker(cfg.Limits, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))),
		requests: make(chan Request),
		results:  make(chan result, cfg.Limits.MaxInFlight),
		usage:    make(chan Usage, 1),
		heard:    make(chan heard, 64),
		leaving:  make(chan struct{}),
	}
	b.packer.pace.budget.recall(cfg.History)
	b.packer.name, b.packer.life = cfg.Name, rand.Uint64()
	b.share.Store(new(b.packer.share()))
	b.showPace(time.Now())
	b.meter = newMeter(cfg.Metrics, b.Pace)
	return b
}

// Learn tells what is known of the org's daily requests from elsewhere than
// the answers to our own. It never waits.
func (b *Batcher) Learn(u Usage) {
	for {
		select {
		case b.usage <- u:
			return
		default:
		}
		select {
		case <-b.usage: // an older one
		default:
		}
	}
}

// Share is what siblings must be told again and again, once a second or so, as
// long as Run runs. Where Limits.Siblings is none it says nothing.
func (b *Batcher) Share() Share { return *b.share.Load() }

// Hear tells what a sibling of that name, a Batcher that works on other calls of the same
// org, has told. It never waits: what is too much is dropped, since the next
// one says it again.
func (b *Batcher) Hear(from string, s Share) {
	select {
	case b.heard <- heard{from, s}:
	default:
	}
}

// Leave has Run start no further request, settle those in flight, and return
// nil: what is not sent stays in the spool, for somebody else to send.
func (b *Batcher) Leave() { b.leave.Do(func() { close(b.leaving) }) }

// Pace is how the budget is doing, at most some seconds ago.
func (b *Batcher) Pace() Pace { return *b.pace.Load() }

// History is what the next Batcher's forecast should go by: whole after Run,
// and before that of the last tick, a minute ago or so.
func (b *Batcher) History() []Slot { return *b.history.Load() }

// Trouble is what holds the whole org's requests back at the moment.
func (b *Batcher) Trouble() Trouble { return Trouble(b.trouble.Load()) }

// Run sends what the spool holds until input is done, then all that is left
// without waiting for company, and returns nil once everything is settled.
// When hard is done first, it abandons the requests in flight and returns
// hard's cause: what is not settled stays in the spool.
func (b *Batcher) Run(input, hard context.Context) error {
	g, ctx := errgroup.WithContext(hard)
	reading, stopReading := context.WithCancel(input)
	defer stopReading()
	context.AfterFunc(ctx, stopReading)

	records := make(chan []*spool.Record) // without room: see read
	g.Go(func() error {
		defer close(records)
		return b.read(reading, ctx, records)
	})
	g.Go(func() error { return b.loop(ctx, g, records) })
	if err := g.Wait(); err != errLeft {
		return err
	}
	return nil
}

// errLeft ends the loop after Leave, and with it the reading.
var errLeft = errors.New("left to others")

// read hands records from the spool to the loop until there are no more to
// come. It reads into one buffer while the loop takes from the other: that the
// loop asks for more says that it is done with what it had.
func (b *Batcher) read(input, ctx context.Context, records chan<- []*spool.Record) error {
	buf, taken := make([]*spool.Record, 256), make([]*spool.Record, 256)
	for {
		n, err := b.cfg.Spool.Read(input, buf)
		if n > 0 {
			select {
			case records <- buf[:n]:
				buf, taken = taken, buf
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		switch {
		case err == nil:
		case input.Err() != nil: // drained
			return nil
		default:
			return fmt.Errorf("read the spool: %w", err)
		}
	}
}

// loop owns the packer. It returns when records is closed and everything is
// settled, or when ctx is done and the requests in flight have ended.
func (b *Batcher) loop(ctx context.Context, g *errgroup.Group, records <-chan []*spool.Record) error {
	defer close(b.requests)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer func() { b.remember(time.Now()) }()
	for {
		now := time.Now()
		b.send(ctx, g, now)
		if err := b.settle(now, b.packer.takeOver(), Outcome{}); err != nil {
			return err
		}
		if records == nil && b.packer.idle() {
			return nil
		}
		b.watchPace(now)
		b.tell()
		timer.Reset(b.rest(now))
		open := records
		if b.packer.held >= maxHeld {
			open = nil
		}
		select {
		case rs, ok := <-open:
			if !ok {
				records = nil
				b.packer.drain()
			}
			if err := b.take(rs); err != nil {
				return err
			}
		case r := <-b.results:
			if err := b.done(r); err != nil {
				return err
			}
		case u := <-b.usage:
			b.packer.pace.budget.learn(u)
			b.showPace(time.Now())
		case h := <-b.heard:
			b.packer.hear(time.Now(), h.from, h.share)
		case <-timer.C:
		case <-b.leaving:
			if err := b.abandon(); err != nil {
				return err
			}
			return errLeft
		case <-ctx.Done():
			if err := b.abandon(); err != nil {
				return err
			}
			return context.Cause(ctx)
		}
	}
}

// rest is how long the loop may rest when nothing happens: until the packer
// has something to do, or the pace must note that there was nothing.
func (b *Batcher) rest(now time.Time) time.Duration {
	rest := slotTime / 3
	if at := b.packer.wake(now); !at.IsZero() {
		rest = min(rest, at.Sub(now))
	}
	return rest
}

// take adds what was read, and tells. The mark of a call's end is settled by
// being taken: it asks only that nothing of the call waits for company.
func (b *Batcher) take(rs []*spool.Record) error {
	now := time.Now()
	for i := range rs {
		if u := b.packer.add(now, rs[i]); u != nil {
			b.taken = append(b.taken, u)
		} else if err := b.cfg.Spool.Settle(spool.Settlement{Position: rs[i].Position}); err != nil {
			return fmt.Errorf("settle the end of a call: %w", err)
		}
	}
	if b.cfg.OnTaken != nil && len(b.taken) > 0 {
		b.cfg.OnTaken(b.taken)
	}
	clear(b.taken)
	b.taken = b.taken[:0]
	return nil
}

// send starts every request that is due. Each reports to the loop, which
// waits for all of them. A goroutine that has carried one before and is free
// carries the next, as its stack has grown to what that takes.
func (b *Batcher) send(ctx context.Context, g *errgroup.Group, now time.Time) {
	if ctx.Err() != nil {
		return
	}
	for r, ok := b.packer.next(now); ok; r, ok = b.packer.next(now) {
		b.meter.messages.Update(float64(r.Messages()))
		b.meter.late.Add(r.late)
		select {
		case b.requests <- r:
		default:
			g.Go(func() error {
				b.carry(ctx, r)
				return nil
			})
		}
	}
}

// carry makes requests, one after the other, until the loop has ended.
func (b *Batcher) carry(ctx context.Context, r Request) {
	for ok := true; ok; r, ok = <-b.requests {
		b.results <- result{r, b.cfg.Sender.Send(ctx, r)}
	}
}

// done settles what an outcome has decided.
func (b *Batcher) done(r result) error {
	if got, want := len(r.outcome.Results), len(r.request.Entries); got != want {
		panic(fmt.Sprintf("BUG: the sender gave %d results for %d entries", got, want))
	}
	before, limit, now := b.packer.gate.trouble, b.packer.window.limit, time.Now()
	b.meter.sent(r)
	settled := b.packer.done(now, r.request, r.outcome)
	b.trouble.Store(int32(b.packer.gate.trouble))
	b.logGate(before, r.outcome)
	b.logWindow(limit)
	b.meter.settled(settled)
	return b.settle(now, settled, r.outcome)
}

// settle books what is final, by an outcome or without one, and tells.
func (b *Batcher) settle(now time.Time, settled []Settled, o Outcome) error {
	if len(settled) == 0 {
		return nil
	}
	for i := range settled {
		s := &settled[i]
		b.settlements = append(b.settlements, spool.Settlement{Position: s.Position, Rejected: s.Rejected, Dead: deadLetter(now, s, o.Written)})
	}
	if err := b.cfg.Spool.Settle(b.settlements...); err != nil {
		return fmt.Errorf("settle %d utterances: %w", len(settled), err)
	}
	clear(b.settlements) // of what was said nothing is kept
	b.settlements = b.settlements[:0]
	b.logRejected(settled, o.Err)
	if b.cfg.OnSettled != nil {
		b.cfg.OnSettled(settled)
	}
	return nil
}

// abandon waits for the requests in flight, which ctx may have cut short, and
// settles what they say.
func (b *Batcher) abandon() error {
	for b.packer.inFlight > 0 {
		if err := b.done(<-b.results); err != nil {
			return err
		}
	}
	return nil
}

// tell makes the share of the moment known, where it has changed and somebody
// may want to know.
func (b *Batcher) tell() {
	if b.cfg.Limits.Siblings > 0 && b.packer.share() != *b.share.Load() {
		b.share.Store(new(b.packer.share()))
	}
}

// watchPace shows the pace where it was looked at again, and logs when it
// begins to hold utterances back and when it ends.
func (b *Batcher) watchPace(now time.Time) {
	before := b.Pace()
	if b.packer.pace.next.Equal(b.paceShown) && b.packer.pace.budget.opens(now).After(now) == before.Spent {
		return
	}
	b.showPace(now)
	after := b.Pace()
	switch {
	case after.Spent && !before.Spent:
		b.cfg.Log.Error("our share of the org's daily API requests is used up: nothing is sent until a part of it comes back")
	case !after.Spent && before.Spent:
		b.cfg.Log.Info("requests go out again")
	case after.On && !before.On:
		b.cfg.Log.Warn("the org's daily API requests are short: utterances wait for more company", "left", int64(after.Left), "runs_out_in", after.RunsOut.Round(time.Minute).String())
	case !after.On && before.On:
		b.cfg.Log.Info("the org's daily API requests last again", "left", int64(after.Left))
	}
}

func (b *Batcher) showPace(now time.Time) {
	pace := b.packer.pace.show(now)
	b.pace.Store(&pace)
	b.paceShown = b.packer.pace.next
	if now.Sub(b.remembered) >= time.Minute {
		b.remember(now)
	}
}

func (b *Batcher) remember(now time.Time) {
	recent := b.packer.pace.budget.recent(now)
	b.history.Store(&recent)
	b.remembered = now
}

// logGate writes one line for each change of the gate.
func (b *Batcher) logGate(before Trouble, o Outcome) {
	g := &b.packer.gate
	switch {
	case g.trouble == before:
	case g.trouble == None:
		b.cfg.Log.Info("salesforce answers again")
	default:
		b.cfg.Log.Warn("salesforce is held back", "why", g.trouble.String(), "for", time.Until(g.until).Round(time.Millisecond).String(), "cause", o.Err)
	}
}

// logWindow writes one line when a rate limit becomes known.
func (b *Batcher) logWindow(before int) {
	if limit := b.packer.window.limit; before == 0 && limit > 0 {
		b.cfg.Log.Warn("salesforce limits the rate of requests", "requests", limit, "within", span.String())
	}
}

// logRejected writes one line for each request that lost utterances.
func (b *Batcher) logRejected(settled []Settled, cause error) {
	n, reason, call := 0, "", ""
	for i := range settled {
		if s := &settled[i]; s.Rejected != "" {
			n, reason, call = n+1, s.Rejected, s.Call
		}
	}
	if n > 0 {
		b.cfg.Log.Warn("utterances rejected", "utterances", n, "reason", reason, "call", call, "cause", cause)
	}
}
