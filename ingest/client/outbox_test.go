package client

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// life is a server's side of one stream in one epoch, as simple as the protocol
// allows: it takes the next seq and refuses later ones, but takes the lowest
// that it has refused when it comes again, since that client holds none before.
type life struct {
	epoch    int
	received uint64
	refused  uint64
	taken    []uint64
}

// answer is what a server says to an utterance.
type answer struct {
	code     string // ack, gap or invalid
	seq      uint64
	expected uint64
}

func (l *life) offer(seq uint64, bad bool) answer {
	if seq <= l.received {
		return answer{code: "ack", seq: l.received}
	}
	if seq != l.received+1 && seq != l.refused {
		if l.refused == 0 || seq < l.refused {
			l.refused = seq
		}
		return answer{code: "gap", seq: seq, expected: l.received + 1}
	}
	l.received, l.refused = seq, 0
	if bad {
		return answer{code: "invalid", seq: seq}
	}
	l.taken = append(l.taken, seq)
	return answer{code: "ack", seq: seq}
}

// world is an outbox, a server, and the two directions between them.
type world struct {
	t      *rapid.T
	out    outbox
	server *life
	lives  []*life
	up     []uint64
	down   []answer

	sent    uint64
	acked   int
	nacked  []uint64
	highest uint64 // of the outbox's base
	bad     map[uint64]bool
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, out: newOutbox(), bad: map[uint64]bool{}, highest: 1}
	w.restart()
	return w
}

func (w *world) restart() {
	w.server = &life{epoch: len(w.lives) + 1}
	w.lives = append(w.lives, w.server)
	w.reconnect()
}

// recover is a server that comes back with what it had stored, and has
// forgotten what it only refused.
func (w *world) recover() {
	w.server.received, w.server.refused = 0, 0
	if n := len(w.server.taken); n > 0 {
		w.server.received = w.server.taken[n-1]
	}
	w.reconnect()
}

func (w *world) reconnect() {
	w.up, w.down = nil, nil
	w.server.refused = 0
	w.acked += w.out.opened(fmt.Sprint(w.server.epoch), w.server.received, rapid.IntRange(1, 8).Draw(w.t, "window"))
}

func (w *world) put(bad bool) {
	if w.out.full() {
		return
	}
	w.sent++
	w.bad[w.sent] = bad
	if got := w.out.put(nil); got != w.sent {
		w.t.Fatalf("B1: put returned seq %d, want %d", got, w.sent)
	}
}

func (w *world) write() (ok bool) {
	seq, _, ok := w.out.peek()
	if !ok {
		return false
	}
	if seq >= w.out.base+uint64(w.out.window) {
		w.t.Fatalf("B3: seq %d is written, base %d, window %d", seq, w.out.base, w.out.window)
	}
	w.out.wrote()
	w.up = append(w.up, seq)
	return true
}

func (w *world) serve() (ok bool) {
	if len(w.up) == 0 {
		return false
	}
	seq := w.up[0]
	w.up = w.up[1:]
	w.down = append(w.down, w.server.offer(seq, w.bad[seq]))
	return true
}

func (w *world) read() (ok bool) {
	if len(w.down) == 0 {
		return false
	}
	a := w.down[0]
	w.down = w.down[1:]
	switch a.code {
	case "ack":
		w.acked += w.out.ack(a.seq)
	case "gap":
		if !w.out.gap(a.seq, a.expected) {
			w.t.Fatalf("B8: a server that keeps the rules refused %d and expects %d", a.seq, a.expected)
		}
	default:
		if w.out.nack(a.seq) {
			w.nacked = append(w.nacked, a.seq)
		}
	}
	return true
}

func (w *world) check() {
	o := &w.out
	if o.base < w.highest || o.next < o.base || o.next > o.end() || o.end() != w.sent+1 {
		w.t.Fatalf("base %d (before %d), next %d, end %d after %d utterances", o.base, w.highest, o.next, o.end(), w.sent)
	}
	w.highest = o.base
	held := 0
	for _, it := range o.held {
		if !it.final {
			held++
		}
	}
	if w.acked+len(w.nacked)+held != int(w.sent) {
		w.t.Fatalf("%d sent, but %d acked, %d nacked, %d held", w.sent, w.acked, len(w.nacked), held)
	}
}

// settleAll lets everything come to rest, and then holds every utterance
// against what the lives of the server have taken.
func (w *world) settleAll() {
	for range 10_000 {
		if !w.write() && !w.serve() && !w.read() {
			break
		}
	}
	w.check()
	if !w.out.empty() {
		w.t.Fatalf("%d utterances are held for ever: base %d, next %d; the server has received %d", len(w.out.held), w.out.base, w.out.next, w.server.received)
	}
	taken := map[uint64]bool{}
	for _, l := range w.lives {
		if !slices.IsSorted(l.taken) || len(slices.Compact(slices.Clone(l.taken))) != len(l.taken) {
			w.t.Fatalf("epoch %d took %v: doubled or out of order", l.epoch, l.taken)
		}
		for _, seq := range l.taken {
			taken[seq] = true
		}
	}
	for seq := uint64(1); seq <= w.sent; seq++ {
		if taken[seq] == w.bad[seq] {
			w.t.Fatalf("utterance %d: taken %v, bad %v", seq, taken[seq], w.bad[seq])
		}
	}
}

// After any schedule of writes, answers, lost connections and restarts, every
// utterance is settled, in order, and no life of the server has doubled one.
func TestOutboxLosesAndDoublesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"put":       func(t *rapid.T) { w.put(rapid.IntRange(0, 4).Draw(t, "bad") == 0) },
			"write":     func(*rapid.T) { w.write() },
			"write all": func(*rapid.T) { w.writeAll() },
			"serve":     func(*rapid.T) { w.serve() },
			"read":      func(*rapid.T) { w.read() },
			"reconnect": func(*rapid.T) { w.reconnect() },
			"recover":   func(*rapid.T) { w.recover() },
			"restart":   func(*rapid.T) { w.restart() },
			"":          func(*rapid.T) { w.check() },
		})
		w.settleAll()
	})
}

func (w *world) writeAll() {
	for w.write() {
	}
}

// written returns the seqs that an outbox writes next.
func written(o *outbox) (seqs []uint64) {
	for {
		seq, _, ok := o.peek()
		if !ok {
			return seqs
		}
		o.wrote()
		seqs = append(seqs, seq)
	}
}

// holding returns an outbox that was opened, and holds and has written 1…n.
func holding(n int) *outbox {
	o := newOutbox()
	o.opened("a", 0, 0)
	for range n {
		o.put(nil)
	}
	written(&o)
	return &o
}

func TestOutboxResumes(t *testing.T) {
	f := func(rule string, o *outbox, want ...uint64) {
		t.Helper()
		if got := written(o); !slices.Equal(got, want) {
			t.Errorf("%s: writes %v, want %v", rule, got, want)
		}
	}
	o := holding(4)
	f("B3, without a resume", o)
	o.opened("a", 2, 0)
	f("B6, same epoch", o, 3, 4)
	o.opened("b", 3, 0)
	f("B6, another epoch, whose acked is not ours", o, 3, 4)

	o = holding(4)
	o.gap(3, 2)
	f("B7, a gap", o, 2, 3, 4)
	o.gap(4, 2)
	f("B7, the same gap, under way", o)
	o.ack(2)
	o.gap(4, 2)
	f("B7, the same gap after an ack, and base is later", o, 3, 4)

	o = holding(4)
	o.nack(3)
	o.opened("a", 1, 0)
	f("B5, a nacked one is not written again", o, 2, 4)
	o.gap(4, 3)
	f("B5, unless a gap asks for it", o, 3, 4)
	o.gap(5, 4)
	f("B7, a new gap", o, 4)

	o = holding(4)
	o.opened("a", 1, 2)
	f("B3, a smaller window", o, 2, 3)
	o.ack(2)
	f("B3, and it moves on", o, 4)
}

func TestOutboxGapThatIsRefused(t *testing.T) {
	f := func(step string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: goes on = %v, want %v", step, got, want)
		}
	}
	o := holding(3)
	f("first", o.gap(1, 0), true)
	f("under way", o.gap(2, 0), true)
	f("under way", o.gap(3, 0), true)
	f("B8, of the resend", o.gap(1, 0), false)
	o.opened("a", 0, 0)
	f("on a new connection", o.gap(1, 0), true)
}

func TestOutboxCountsWhatIsSettled(t *testing.T) {
	f := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	o := holding(4)
	o.put(nil)
	o.nack(2)
	f("an ack over a nacked one", o.ack(3), 2)
	f("a repeated ack", o.ack(3), 0)
	f("an ack beyond what was written", o.ack(99), 1)
	f("held", len(o.held), 1)
	if o.nack(5) {
		t.Error("a nack of what was never written was taken")
	}
	if o.nack(2) {
		t.Error("a nack of what is settled was taken")
	}
	f("opened by a server that knows more than was sent", o.opened("a", 99, 0), 1)
	f("the next seq", int(o.put(nil)), 6)
}
