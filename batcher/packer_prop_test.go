package batcher

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/batcher/spool"
)

// TestPackerKeepsItsRules plays random speech against random answers and
// checks every rule of the packer after every step. At the end the org is well
// again but for the poison, and everything must be settled.
func TestPackerKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lim := Limits{
			MaxEntries:  rapid.IntRange(1, 5).Draw(t, "entries"),
			MaxMessages: rapid.IntRange(1, 5).Draw(t, "messages"),
			MaxInFlight: rapid.IntRange(1, 4).Draw(t, "in flight"),
			MaxWait:     rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 5 * time.Second}).Draw(t, "wait"),
			MixSpeakers: rapid.Bool().Draw(t, "mix"),
			Grace:       rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(t, "grace"),
			EndGrace:    rapid.SampledFrom([]time.Duration{0, time.Second, 5 * time.Minute}).Draw(t, "end grace"),
		}
		w := &world{rt: t, lim: lim, waiting: map[string][]spool.Position{}, poison: map[spool.Position]bool{}, ended: map[string]time.Time{}}
		w.b = newBench(silent{}, lim)
		t.Repeat(map[string]func(*rapid.T){
			"speak":  w.speak,
			"end":    w.hangUp,
			"wait":   w.wait,
			"answer": w.answer,
			"":       w.check,
		})
		w.recover()
	})
}

// silent lets newBench be used where there is no testing.TB.
type silent struct{ testing.TB }

// world is what the test knows by itself of the utterances that it has spoken.
type world struct {
	rt      *rapid.T
	b       *bench
	lim     Limits
	waiting map[string][]spool.Position // by call: neither settled nor in the air, in order
	poison  map[spool.Position]bool
	ended   map[string]time.Time // calls whose end was marked, and when
	spoken  int
	settled int
}

func (w *world) call(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "call")
}

func (w *world) speak(t *rapid.T) {
	call, words := w.call(t), ""
	words = call + ":" + rapid.SampledFrom([]string{"x", "y"}).Draw(t, "speaker")
	if rapid.IntRange(0, 9).Draw(t, "urgent") == 0 {
		words += "!"
	}
	w.b.say(words)
	w.waiting[call] = append(w.waiting[call], w.b.pos)
	w.spoken++
	if rapid.IntRange(0, 19).Draw(t, "poison") == 0 {
		w.poison[w.b.pos] = true
	}
	w.send()
}

// hangUp marks the end of a call.
func (w *world) hangUp(t *rapid.T) {
	call := w.call(t)
	w.b.end(call)
	w.ended[call] = w.b.now
	w.send()
}

// over books what R10 has rejected.
func (w *world) over() {
	for _, s := range w.b.p.takeOver() {
		i := slices.Index(w.waiting[s.Call], s.Position)
		if i < 0 || s.Rejected != ReasonCallEnded {
			w.rt.Fatalf("R10: call %s gives up %d as %q, want one of %v", s.Call, s.Position, s.Rejected, w.waiting[s.Call])
		}
		if at, ended := w.ended[s.Call]; !ended || w.lim.EndGrace == 0 || w.b.now.Sub(at) < w.lim.EndGrace {
			w.rt.Fatalf("R10: call %s gives up %d, %v after its end (%v)", s.Call, s.Position, w.b.now.Sub(at), ended)
		}
		w.waiting[s.Call] = slices.Delete(w.waiting[s.Call], i, i+1)
		w.settled++
	}
}

func (w *world) wait(t *rapid.T) {
	w.b.pass(rapid.SampledFrom([]time.Duration{time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, 30 * time.Second}).Draw(t, "for"))
	w.send()
}

// send lets go what may go, and checks each request as Salesforce and the call
// would see it.
func (w *world) send() {
	before := len(w.b.inAir)
	w.b.sent()
	w.over()
	for _, r := range w.b.inAir[before:] {
		if len(r.Entries) == 0 || len(r.Entries) > w.lim.MaxEntries {
			w.rt.Fatalf("R2: a request of %d entries, want 1 to %d", len(r.Entries), w.lim.MaxEntries)
		}
		if r.Single && r.Messages() != 1 {
			w.rt.Fatalf("R6: a single request of %d messages", r.Messages())
		}
		for _, e := range r.Entries {
			w.checkEntry(e)
		}
	}
}

func (w *world) checkEntry(e Entry) {
	if len(e.Utterances) == 0 || len(e.Utterances) > w.lim.MaxMessages {
		w.rt.Fatalf("R2: an entry of %d messages, want 1 to %d", len(e.Utterances), w.lim.MaxMessages)
	}
	for _, u := range e.Utterances {
		if !w.lim.MixSpeakers && u.Speaker != e.Utterances[0].Speaker {
			w.rt.Fatalf("B2: %s and %s in one entry", u.Speaker, e.Utterances[0].Speaker)
		}
		q := w.waiting[e.Call]
		if len(q) == 0 || q[0] != u.Position || u.Call != e.Call {
			w.rt.Fatalf("R1: call %s sends %d, want the first of %v", e.Call, u.Position, q)
		}
		w.waiting[e.Call] = q[1:]
		if at, ended := w.ended[e.Call]; ended && w.lim.EndGrace > 0 && w.b.now.Sub(at) >= w.lim.EndGrace {
			w.rt.Fatalf("R10: call %s is sent %v after its end", e.Call, w.b.now.Sub(at))
		}
	}
}

func (w *world) answer(t *rapid.T) {
	if len(w.b.inAir) == 0 {
		t.Skip("nothing in the air")
	}
	i := rapid.IntRange(0, len(w.b.inAir)-1).Draw(t, "request")
	r := w.b.inAir[i]
	w.b.inAir = append(w.b.inAir[:i:i], w.b.inAir[i+1:]...)
	w.end(r, w.outcome(t, r))
}

// outcome draws an answer that an org could give to r.
func (w *world) outcome(t *rapid.T, r Request) Outcome {
	o := Outcome{Answered: w.b.now}
	if trouble := rapid.IntRange(0, 9).Draw(t, "trouble"); trouble <= int(Barred) {
		o.Trouble = Trouble(trouble)
	}
	for _, e := range r.Entries {
		v := Result{Verdict: Verdict(rapid.IntRange(int(Deliver), int(Suspect)).Draw(t, "verdict")), Reason: "invalid"}
		if o.Trouble != None {
			v = Result{Verdict: Retry, Ambiguous: true}
		}
		if w.poisoned(r) {
			v = Result{Verdict: Suspect}
		}
		if v.Verdict == Reject && rapid.Bool().Draw(t, "only") {
			v.Only = []string{e.Utterances[0].MessageID}
		}
		for i := range o.Results { // Salesforce answers by call, not by entry
			if r.Entries[i].Call == e.Call {
				v = o.Results[i]
			}
		}
		o.Results = append(o.Results, v)
	}
	return o
}

func (w *world) poisoned(r Request) bool {
	for _, e := range r.Entries {
		for _, u := range e.Utterances {
			if w.poison[u.Position] {
				return true
			}
		}
	}
	return false
}

// end gives the packer an outcome and books what it settles.
func (w *world) end(r Request, o Outcome) []Settled {
	settled := w.b.p.done(w.b.now, r, o)
	final := map[spool.Position]bool{}
	for _, s := range settled {
		if final[s.Position] {
			w.rt.Fatalf("utterance %d is settled twice", s.Position)
		}
		final[s.Position] = true
	}
	w.settled += len(settled)
	back := map[string][]spool.Position{}
	for _, e := range r.Entries {
		for _, u := range e.Utterances {
			if !final[u.Position] {
				back[e.Call] = append(back[e.Call], u.Position)
			}
			delete(final, u.Position)
		}
	}
	if len(final) > 0 {
		w.rt.Fatalf("settled %v, which the request did not carry", final)
	}
	for call, ps := range back {
		w.waiting[call] = append(ps, w.waiting[call]...)
	}
	w.send()
	return settled
}

// check compares the packer's own state with what the test knows.
func (w *world) check(*rapid.T) {
	p, lanes, air := w.b.p, map[string]bool{}, 0
	for i, r := range w.b.inAir {
		mine := map[string]bool{}
		for _, e := range r.Entries {
			if lanes[e.Call] && !mine[e.Call] {
				w.rt.Fatalf("R3: call %s is in two requests, the second is %d", e.Call, i)
			}
			if e.from != p.calls[e.Call] {
				w.rt.Fatalf("B6: an entry of call %s in the air does not know its buffer", e.Call)
			}
			lanes[e.Call], mine[e.Call] = true, true
			air += len(e.Utterances)
		}
	}
	if f := p.flight; f.bound < 1 || f.bound > w.lim.MaxInFlight {
		w.rt.Fatalf("F1: the bound is %d of at most %d", f.bound, w.lim.MaxInFlight)
	}
	if len(w.b.inAir) > w.lim.MaxInFlight || p.inFlight != len(w.b.inAir) {
		w.rt.Fatalf("%d requests in flight (the packer says %d), want at most %d", len(w.b.inAir), p.inFlight, w.lim.MaxInFlight)
	}
	waiting := 0
	for _, q := range w.waiting {
		waiting += len(q)
	}
	if w.spoken != w.settled+waiting+air || p.held != waiting+air {
		w.rt.Fatalf("spoken %d ≠ settled %d + waiting %d + in the air %d (held: %d)", w.spoken, w.settled, waiting, air, p.held)
	}
	w.checkWait()
	w.checkOrder()
	w.checkBuffers()
	w.checkMemory()
}

// checkOrder holds R5: the first of a queue is the first of all its buffers.
func (w *world) checkOrder() {
	for _, q := range []*queue{&w.b.p.ready, &w.b.p.stale, &w.b.p.apart, &w.b.p.resting} {
		for i, b := range q.buffers {
			if q.less(b, q.first()) {
				w.rt.Fatalf("R5: call %s at %d is due before the queue's first, %s", b.call, i, q.first().call)
			}
			if b.in != q || b.index != i {
				w.rt.Fatalf("B4: call %s believes to stand elsewhere", b.call)
			}
			was := b.rank
			if w.b.p.rank(b); b.rank != was && q != &w.b.p.resting {
				w.rt.Fatalf("B5: call %s stands there as %v, and is %v", b.call, was, b.rank)
			}
		}
	}
}

// checkWait holds P5 against the packer's state: nothing that may go and is
// due is still there.
func (w *world) checkWait() {
	p := w.b.p
	if opens, _ := p.opens(w.b.now); opens.After(w.b.now) || p.inFlight >= p.admits(w.b.now) {
		return
	}
	ready := 0
	for _, b := range p.calls {
		if b.inFlight || b.restedAt.After(w.b.now) {
			continue
		}
		if b.in == &p.ready {
			ready += len(b.entries)
		}
		if waited := w.b.now.Sub(b.entries[0].oldest); waited >= w.lim.MaxWait || b.urgent > 0 || b.ended || b.suspects > 0 || b.in == &p.stale {
			w.rt.Fatalf("R4: call %s is free and due (waited %v, urgent %d, ended %v, suspects %d), and not sent", b.call, waited, b.urgent, b.ended, b.suspects)
		}
	}
	if ready >= w.lim.MaxEntries || ready != p.entries {
		w.rt.Fatalf("R4: %d entries ready (the packer says %d) and not sent, want fewer than %d", ready, p.entries, w.lim.MaxEntries)
	}
	if at := p.wake(w.b.now); ready > 0 && (at.IsZero() || at.Sub(w.b.now) > w.lim.MaxWait) {
		w.rt.Fatalf("the packer would wake at %v, %v from now, with %d entries ready", at, at.Sub(w.b.now), ready)
	}
}

// checkBuffers holds what the packer relies on so as not to look things up.
func (w *world) checkBuffers() {
	for _, b := range w.b.p.calls {
		if _, ended := w.b.p.endings.at[b.call]; ended && !b.ended {
			w.rt.Fatalf("E4: the buffer of call %s does not know that it has ended", b.call)
		}
		for i := range b.entries {
			if b.entries[i].from != b {
				w.rt.Fatalf("B6: entry %d of call %s does not know its buffer", i, b.call)
			}
		}
	}
}

func (w *world) checkMemory() {
	lanes := map[string]bool{}
	for _, r := range w.b.inAir {
		for _, e := range r.Entries {
			lanes[e.Call] = true
		}
	}
	for call, b := range w.b.p.calls {
		if len(b.entries) == 0 && !lanes[call] {
			w.rt.Fatalf("R9: call %s is remembered for nothing", call)
		}
	}
}

// recover heals the org: from now on only poison is refused. All must be
// settled in the end, and only poison rejected.
func (w *world) recover() {
	w.b.p.drain()
	w.send()
	for step := 0; !w.b.p.idle(); step++ {
		if step > 100*w.spoken+100 {
			w.rt.Fatalf("R8: %d utterances are still held after %d steps: %s", w.b.p.held, step, fmt.Sprint(w.waiting))
		}
		if len(w.b.inAir) == 0 {
			w.b.pass(max(0, w.b.p.wake(w.b.now).Sub(w.b.now)))
			w.send()
			continue
		}
		r := w.b.inAir[0]
		w.b.inAir = w.b.inAir[1:]
		o := Outcome{Answered: w.b.now}
		for range r.Entries {
			v := ok
			if w.poisoned(r) {
				v = Result{Verdict: Suspect}
			}
			o.Results = append(o.Results, v)
		}
		for _, s := range w.end(r, o) {
			if s.Rejected == ReasonCallEnded {
				continue
			}
			if (s.Rejected != "") != w.poison[s.Position] {
				w.rt.Fatalf("R8: utterance %d (poison: %v) was settled as %q", s.Position, w.poison[s.Position], s.Rejected)
			}
		}
		w.check(nil)
	}
	if len(w.b.p.calls) != 0 || len(w.b.p.ready.buffers)+len(w.b.p.stale.buffers)+len(w.b.p.apart.buffers)+len(w.b.p.resting.buffers) != 0 {
		w.rt.Fatalf("R9: %d calls are remembered when all is settled", len(w.b.p.calls))
	}
}
