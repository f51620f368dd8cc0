package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
)

// org is a Sender that stores what it is sent, after roundTrip.
type org struct {
	roundTrip time.Duration

	mu     sync.Mutex
	down   bool // answers nothing: a request ends with its timeout
	stored map[string][]string
	sent   []batcher.Request
	flying map[string]bool
	faults []string
}

const timeout = 30 * time.Second

func (o *org) Send(ctx context.Context, r batcher.Request) batcher.Outcome {
	down := o.arrive(r)
	wait := o.roundTrip
	if down {
		wait = timeout
	}
	written := time.Now()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		down = true
	}
	return o.answer(r, down, written)
}

func (o *org) arrive(r batcher.Request) (down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, r)
	for call := range calls(r) {
		if o.flying[call] {
			o.faults = append(o.faults, "call "+call+" has two requests in flight")
		}
		o.flying[call] = true
	}
	return o.down
}

func (o *org) answer(r batcher.Request, down bool, written time.Time) batcher.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := batcher.Outcome{Written: written, Answered: time.Now()}
	for call := range calls(r) {
		delete(o.flying, call)
	}
	for _, e := range r.Entries {
		if down {
			out.Trouble, out.Err = batcher.Down, errors.New("no answer")
			out.Results = append(out.Results, batcher.Result{Verdict: batcher.Retry, Ambiguous: true})
			continue
		}
		for _, u := range e.Utterances {
			if u.Note != note(u) {
				o.faults = append(o.faults, fmt.Sprintf("%s is sent with the note %v", u.MessageID, u.Note))
			}
			o.stored[e.Call] = append(o.stored[e.Call], u.MessageID)
		}
		out.Results = append(out.Results, batcher.Result{Verdict: batcher.Deliver})
	}
	return out
}

// note is what OnTaken leaves with an utterance.
func note(u *batcher.Utterance) any { return "of " + u.MessageID }

func calls(r batcher.Request) map[string]bool {
	set := map[string]bool{}
	for _, e := range r.Entries {
		set[e.Call] = true
	}
	return set
}

// rig is a batcher that runs between a spool in memory and an org.
type rig struct {
	t       *testing.T
	org     *org
	spool   *spool.Memory
	batcher *batcher.Batcher
	set     *metrics.Set
	settled []batcher.Settled
	drain   context.CancelFunc
	abandon context.CancelCauseFunc
	done    chan error
	seq     map[string]int
}

func start(t *testing.T) *rig {
	r := &rig{
		t: t, spool: spool.NewMemory(), set: metrics.NewSet(), done: make(chan error, 1), seq: map[string]int{},
		org: &org{roundTrip: 150 * time.Millisecond, stored: map[string][]string{}, flying: map[string]bool{}},
	}
	b := batcher.New(batcher.Config{
		Limits: batcher.Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 8, MaxWait: 200 * time.Millisecond, Grace: 30 * time.Second},
		Spool:  r.spool, Sender: r.org, Metrics: r.set, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnTaken: func(all []*batcher.Utterance) {
			for _, u := range all {
				u.Note = note(u)
			}
		},
		OnSettled: func(s []batcher.Settled) { r.settled = append(r.settled, s...) },
	})
	input, drain := context.WithCancel(t.Context())
	hard, abandon := context.WithCancelCause(t.Context())
	r.drain, r.abandon, r.batcher = drain, abandon, b
	go func() { r.done <- b.Run(input, hard) }()
	return r
}

func (r *rig) say(call string, n int) {
	for range n {
		r.seq[call]++
		u := &spool.Record{
			Call: call, Speaker: call + "END_USER", MessageID: fmt.Sprintf("%s-%d", call, r.seq[call]),
			Received: time.Now(), Spoken: time.Now().Add(-400 * time.Millisecond), Message: []byte("{}"),
		}
		if err := r.spool.Append(r.t.Context(), []*spool.Record{u}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// balanced checks that each call has arrived whole and in order, and that the
// account agrees.
func (r *rig) balanced() {
	r.t.Helper()
	total := 0
	for call, n := range r.seq {
		total += n
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%s-%d", call, i+1))
		}
		if !slices.Equal(r.org.stored[call], want) {
			r.t.Errorf("call %s: stored %v, want %d in order", call, r.org.stored[call], n)
		}
	}
	if a := r.spool.Account(); a.Accepted != uint64(total) || a.Delivered != uint64(total) || a.Pending != 0 {
		r.t.Errorf("account %+v, want %d accepted and delivered", a, total)
	}
	if len(r.settled) != total {
		r.t.Errorf("OnSettled was told of %d, want %d", len(r.settled), total)
	}
	for _, s := range r.settled {
		if s.Note != note(s.Utterance) {
			r.t.Errorf("utterance %s is settled with the note %v, want its own", s.MessageID, s.Note)
		}
	}
	if len(r.org.faults) > 0 {
		r.t.Errorf("faults: %s", strings.Join(r.org.faults, "; "))
	}
}

func TestDrainSendsWhatIsLeftAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.say("a", 3)
		r.say("b", 1)
		synctest.Wait()
		begin := time.Now()
		r.drain()
		if err := <-r.done; err != nil {
			t.Errorf("Run = %v, want nil after a full drain", err)
		}
		if took := time.Since(begin); took != r.org.roundTrip {
			t.Errorf("the drain took %v, want one round trip of %v: nothing waits for company any more", took, r.org.roundTrip)
		}
		r.balanced()
		if len(r.org.sent) != 1 {
			t.Errorf("%d requests for what fits one", len(r.org.sent))
		}
	})
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		begin := time.Now()
		r.say("a", 1)
		time.Sleep(time.Hour)
		r.drain()
		<-r.done
		r.balanced()
		if got := r.settled[0].Answered.Sub(begin); got != 350*time.Millisecond {
			t.Errorf("delivered after %v, want 200ms of waiting and 150ms of round trip", got)
		}
	})
}

func TestEndOfCallFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		begin := time.Now()
		r.say("a", 2)
		if err := r.spool.Append(t.Context(), []*spool.Record{{Call: "a", Ended: true}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.drain()
		<-r.done
		r.balanced()
		if got := r.settled[0].Answered.Sub(begin); got != r.org.roundTrip {
			t.Errorf("delivered after %v, want one round trip of %v", got, r.org.roundTrip)
		}
	})
}

// The org answers nothing for a minute, then comes back, and gets everything
// in order.
func TestOrgIsSilentForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.org.down = true
		for i := range 120 {
			r.say(fmt.Sprint("call", i%20), 1)
			time.Sleep(500 * time.Millisecond)
		}
		r.org.mu.Lock()
		r.org.down = false
		silent := len(r.org.sent)
		r.org.mu.Unlock()
		if a := r.spool.Account(); a.Pending != 120 {
			t.Errorf("%d pending while the org was silent, want all 120", a.Pending)
		}
		if silent > 12 {
			t.Errorf("%d requests into a silent org, want at most the 8 in flight and a few probes", silent)
		}
		back := time.Now()
		for i := range 10 {
			r.say(fmt.Sprint("call", i), 1)
			time.Sleep(time.Second)
		}
		r.drain()
		if err := <-r.done; err != nil {
			t.Errorf("Run = %v", err)
		}
		r.balanced()
		if took := time.Since(back); took > 45*time.Second {
			t.Errorf("caught up %v after the org came back, want one time-out and a few seconds", took)
		}
	})
}

func TestHardStopKeepsWhatIsNotSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.org.down = true
		r.say("a", 3)
		r.say("b", 2)
		time.Sleep(time.Second)
		r.drain()
		grace := errors.New("the grace is over")
		time.AfterFunc(20*time.Second, func() { r.abandon(grace) })
		begin := time.Now()
		if err := <-r.done; !errors.Is(err, grace) {
			t.Errorf("Run = %v, want the cause of the hard stop", err)
		}
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("stopped after %v, want exactly 20s", took)
		}
		if a := r.spool.Account(); a.Accepted != 5 || a.Pending != 5 {
			t.Errorf("account %+v, want 5 pending: the spool keeps what is not settled", a)
		}
	})
}

func TestSpoolThatFailsStopsTheBatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.say("a", 1)
		time.Sleep(300 * time.Millisecond) // the request is in flight
		if err := r.spool.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-r.done; !errors.Is(err, spool.ErrClosed) {
			t.Errorf("Run = %v, want ErrClosed", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.say("a", 2)
		time.Sleep(time.Second)
		r.drain()
		<-r.done
		var out strings.Builder
		r.set.WritePrometheus(&out)
		for _, want := range []string{
			`steno_added_latency_seconds_bucket{le="0.2"} 2`,
			`steno_added_latency_seconds_bucket{le="0.15"} 0`,
			`steno_delivery_latency_seconds_bucket{le="0.4"} 2`,
			`steno_delivery_latency_seconds_bucket{le="0.3"} 0`,
			`steno_speech_latency_seconds_bucket{le="0.75"} 2`,
			`steno_speech_latency_seconds_bucket{le="0.5"} 0`,
			`steno_batch_messages_bucket{le="2"} 1`,
			`steno_batch_messages_bucket{le="1"} 0`,
			`steno_utterances_ambiguous_total 0`,
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("/metrics lacks %s", want)
			}
		}
	})
}

// A night in which nobody speaks is known as such the next day, and not taken
// for one that nobody has seen.
func TestSilenceIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.say("a", 1)
		time.Sleep(6 * time.Hour)
		r.drain()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		whole, spoken := 0, 0.0
		for _, s := range r.batcher.History() {
			if s.Whole {
				whole++
			}
			spoken += s.Utterances
		}
		if whole < 23 || spoken != 1 {
			t.Errorf("%d whole quarters of an hour with %v utterances are remembered of six hours, want 24 or so with one", whole, spoken)
		}
	})
}
