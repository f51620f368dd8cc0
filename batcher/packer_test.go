package batcher

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

var limits = Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 64, MaxWait: 200 * time.Millisecond, Grace: 30 * time.Second}

// bench is a packer with a clock that the test moves.
type bench struct {
	t      testing.TB
	p      *packer
	now    time.Time
	pos    spool.Position
	inAir  []Request
	failed bool
}

func newBench(t testing.TB, lim Limits) *bench {
	return &bench{t: t, p: newPacker(lim, rand.New(rand.NewPCG(1, 2))), now: time.Unix(1_700_000_000, 0)}
}

// say adds utterances written "call:speaker", with a "!" for an urgent one.
func (b *bench) say(words ...string) {
	for _, w := range words {
		b.pos++
		urgent := strings.HasSuffix(w, "!")
		call, speaker, _ := strings.Cut(strings.TrimSuffix(w, "!"), ":")
		b.p.add(b.now, &spool.Record{
			Position: b.pos, Call: call, Speaker: speaker, Urgent: urgent,
			MessageID: fmt.Sprintf("%s%d", call, b.pos), Received: b.now,
		})
	}
}

func (b *bench) end(call string) {
	b.pos++
	b.p.add(b.now, &spool.Record{Position: b.pos, Call: call, Ended: true, Received: b.now})
}

// sent returns every request that goes now, each as "call[id id] call[id]".
func (b *bench) sent() []string {
	var all []string
	for r, ok := b.p.next(b.now); ok; r, ok = b.p.next(b.now) {
		b.inAir = append(b.inAir, r)
		all = append(all, show(r))
	}
	return all
}

func show(r Request) string {
	var s []string
	for _, e := range r.Entries {
		var ids []string
		for _, u := range e.Utterances {
			ids = append(ids, fmt.Sprint(u.Position))
		}
		s = append(s, fmt.Sprintf("%s[%s]", e.Call, strings.Join(ids, " ")))
	}
	if r.Single {
		s = append(s, "single")
	}
	return strings.Join(s, " ")
}

// want checks what goes now.
func (b *bench) want(rule string, want ...string) {
	b.t.Helper()
	if got := b.sent(); strings.Join(got, "; ") != strings.Join(want, "; ") {
		b.t.Errorf("%s: sent %q, want %q", rule, got, want)
		b.failed = true
	}
}

// answer ends the oldest request in the air, giving every entry the result.
func (b *bench) answer(v Result, trouble Trouble) []Settled {
	r := b.inAir[0]
	b.inAir = b.inAir[1:]
	o := Outcome{Trouble: trouble, Answered: b.now}
	for range r.Entries {
		o.Results = append(o.Results, v)
	}
	return b.p.done(b.now, r, o)
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

var ok = Result{Verdict: Deliver}

func TestFiveReadyEntriesGoAtOnce(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "b:x", "c:x", "d:x")
	b.want("R4: four entries are not five")
	b.say("e:x", "f:x")
	b.want("R4, R5: five ready, oldest first", "a[1] b[2] c[3] d[4] e[5]")
	b.pass(200*time.Millisecond - 1)
	b.want("R4: the sixth has not waited MaxWait")
	b.pass(1)
	b.want("R4: the sixth has waited MaxWait", "f[6]")
}

func TestOneSpeakerAnEntry(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "a:x", "a:y", "a:x")
	b.pass(200 * time.Millisecond)
	b.want("B2, R1: three entries of one call, in order", "a[1 2] a[3] a[4]")

	mixed := limits
	mixed.MixSpeakers = true
	b = newBench(t, mixed)
	b.say("a:x", "a:x", "a:y", "a:x", "a:x", "a:y")
	b.pass(200 * time.Millisecond)
	b.want("B2: mixed entries close at five messages", "a[1 2 3 4 5] a[6]")
}

func TestFiveEntriesOfOneCallAreReady(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "a:y", "a:x", "a:y", "a:x", "a:y")
	b.want("R4: five entries are five, whoever's they are", "a[1] a[2] a[3] a[4] a[5]")
	b.pass(time.Hour)
	b.want("R3: the lane is taken")
	b.answer(ok, None)
	b.want("R4: overdue once the lane is free", "a[6]")
}

func TestUrgent(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "b:x!")
	b.want("R6: urgent and alone in its call", "b[2] single")
	b.say("a:y", "a:x!", "c:x")
	b.want("R6: urgent with earlier ones of its call; the rest of the request is free for others", "a[1] a[3] a[4] c[5]")
	b.say("b:x!")
	b.want("R3: b's lane is taken")
	b.answer(ok, None)
	b.want("R6: once its lane is free", "b[6] single")
}

func TestUrgentGoesFirst(t *testing.T) {
	lim := limits
	lim.MaxInFlight = 1
	b := newBench(t, lim)
	b.say("z:x!")
	b.want("", "z[1] single")
	b.say("a:x", "b:x", "c:x", "d:x", "e:x", "f:x")
	b.pass(time.Second)
	b.say("g:x!", "h:y", "h:x!")
	b.want("R4: no more than MaxInFlight")
	b.answer(ok, None)
	b.want("R5: urgent first though later", "g[8] single")
	b.answer(ok, None)
	b.want("R5: urgent first, then the longest due", "h[9] h[10] a[2] b[3] c[4]")
	b.answer(ok, None)
	b.want("R5", "d[5] e[6] f[7]")
}

func TestEndOfCall(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "b:x")
	b.end("a")
	b.want("R4: a has ended; b comes along", "a[1] b[2]")
	b.say("b:x")
	b.end("b")
	b.want("R3: b has ended and its lane is taken")
	b.answer(ok, None)
	b.want("R4: b has ended", "b[4]")
	b.answer(ok, None)
	b.end("nobody")
	if len(b.p.calls) != 0 {
		t.Errorf("R9: %d calls remembered, want none", len(b.p.calls))
	}
}

func TestEarliestDeadlineFirst(t *testing.T) {
	lim := limits
	lim.MaxEntries, lim.MaxInFlight = 2, 1
	b := newBench(t, lim)
	b.say("z:x!")
	b.want("", "z[1] single")
	b.say("a:x")
	b.pass(time.Millisecond)
	b.say("b:x", "a:y")
	b.answer(ok, None)
	b.want("R5: b's first is due before a's second", "a[2] b[3]")
}

func TestBacklogAndLiveSpeechTakeTurns(t *testing.T) {
	lim := limits
	lim.MaxEntries, lim.MaxInFlight = 2, 1
	b := newBench(t, lim)
	b.say("z:x!")
	b.want("", "z[1] single")
	old := b.now.Add(-time.Hour)
	for i := range 6 { // a backlog, as the spool hands it out after a restart
		b.pos++
		b.p.add(b.now, &spool.Record{Position: b.pos, Call: fmt.Sprint("old", i), Received: old})
	}
	b.say("a:x", "b:x", "c:x", "d:x")
	b.pass(time.Second)
	b.answer(ok, None)
	b.want("R5: whoever's turn", "old0[2] old1[3]")
	b.answer(ok, None)
	b.want("R5: live speech is not behind the whole backlog", "a[8] b[9]")
	b.say("e:x!")
	b.answer(ok, None)
	b.want("R5: urgent before all", "e[12] single")
	b.answer(ok, None)
	b.want("R5", "old2[4] old3[5]")
	b.answer(ok, None)
	b.want("R5", "c[10] d[11]")
	b.answer(ok, None)
	b.want("R5: the rest of the backlog, in order", "old4[6] old5[7]")
}

func TestDrainGoesByArrival(t *testing.T) {
	lim := limits
	lim.MaxEntries, lim.MaxInFlight = 1, 1
	b := newBench(t, lim)
	b.say("z:x!")
	b.want("", "z[1] single")
	b.say("a:x")
	b.pass(100 * time.Millisecond)
	b.say("b:x")
	b.end("b")
	b.p.drain()
	b.answer(ok, None)
	b.want("R4, R5: none waits for company any more, so the first to come goes first", "a[2]")
}

func TestDrain(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "b:x")
	b.want("R4: not due")
	b.p.drain()
	b.want("R4: nothing more will come", "a[1] b[2]")
	if b.p.idle() {
		t.Error("idle with a request in flight")
	}
	b.answer(ok, None)
	if !b.p.idle() {
		t.Error("not idle when all is settled")
	}
}

func TestClockSetBack(t *testing.T) {
	b := newBench(t, limits)
	b.p.add(b.now, &spool.Record{Position: 1, Call: "a", Received: b.now.Add(time.Hour)})
	b.pass(limits.MaxWait)
	b.want("R4: it has waited since it was read, whatever its stamp says", "a[1]")
}

func TestRefusedCallRestsAndOthersGoOn(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x!")
	b.want("", "a[1] single")
	b.say("a:y")
	if s := b.answer(Result{Verdict: Retry, Ambiguous: true}, None); len(s) != 0 {
		t.Fatalf("R7: settled %v, want nothing", s)
	}
	b.say("b:x!")
	b.want("R7: a rests, b does not", "b[3] single")
	b.answer(ok, None)
	b.pass(500*time.Millisecond - 1)
	b.want("R7: a rests at least half a second")
	b.pass(126 * time.Millisecond)
	b.want("R7, R1: a's first utterance is before its second", "a[1] a[2]")
	u := b.inAir[0].Entries[0].Utterances[0]
	if u.Attempts != 2 || !u.Ambiguous {
		t.Errorf("attempts %d, ambiguous %v, want 2 and true", u.Attempts, u.Ambiguous)
	}
	b.answer(Result{Verdict: Retry}, None)
	b.pass(1000*time.Millisecond - 1)
	b.want("R7: the second rest is twice the first")
	b.pass(251 * time.Millisecond)
	b.want("R7", "a[1] a[2]")
	if s := b.answer(ok, None); len(s) != 2 || s[0].Position != 1 || s[1].Position != 2 {
		t.Errorf("settled %v, want 1 and 2 in order", s)
	}
}

func TestUnknownCallHasAGrace(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x")
	start := b.now
	for range 100 {
		b.pass(100 * time.Millisecond)
		for b.sent(); len(b.inAir) > 0; {
			for _, s := range b.answer(Result{Verdict: NotYet}, None) {
				if waited := b.now.Sub(start); s.Rejected != ReasonUnknownCall || waited < limits.Grace {
					t.Errorf("settled as %q after %v, want %q after %v", s.Rejected, waited, ReasonUnknownCall, limits.Grace)
				}
				return
			}
		}
		b.pass(time.Second)
	}
	t.Error("never rejected")
}

func TestOnlyTheNamedOnesAreRefused(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "a:x", "a:x")
	b.pass(time.Second)
	b.want("", "a[1 2 3]")
	s := b.answer(Result{Verdict: Reject, Reason: "invalid", Only: []string{"a2"}}, None)
	var got []string
	for _, x := range s {
		got = append(got, fmt.Sprintf("%d %s", x.Position, x.Rejected))
	}
	if want := "1 ,2 invalid,3 "; strings.Join(got, ",") != want {
		t.Errorf("settled %q, want %q", strings.Join(got, ","), want)
	}

	b.say("b:x", "b:x", "b:x")
	b.pass(time.Second)
	b.want("", "b[4 5 6]")
	s = b.answer(Result{Verdict: Reject, Reason: "invalid", Only: []string{"b5"}, Others: Retry}, None)
	if len(s) != 1 || s[0].Position != 5 || s[0].Rejected != "invalid" {
		t.Errorf("settled %v, want only 5", s)
	}
	b.pass(time.Second)
	b.want("R1, R7: the others go again, in order", "b[4 6]")
}

func TestPoisonIsFoundAndTheRestGoes(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "b:x", "b:x", "b:x", "b:x", "b:x", "c:x")
	const poison = 4
	b.pass(time.Second)
	rejected, requests := []spool.Position{}, 0
	for step := 0; !b.p.idle(); step++ {
		if step == 50 {
			t.Fatal("R8: no end of splitting")
		}
		b.sent()
		verdict := ok
		for _, e := range b.inAir[0].Entries {
			for _, u := range e.Utterances {
				if u.Position == poison {
					verdict = Result{Verdict: Suspect}
				}
			}
		}
		requests++
		for _, s := range b.answer(verdict, None) {
			if s.Rejected != "" {
				rejected = append(rejected, s.Position)
			}
		}
	}
	if len(rejected) != 1 || rejected[0] != poison {
		t.Errorf("R8: rejected %v, want only %d", rejected, poison)
	}
	if requests > 9 {
		t.Errorf("R8: %d requests to find one poison among 7 utterances of 3 calls, want at most 9", requests)
	}
}

func TestSuspicionEndsWithTheSuspects(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x", "b:x")
	b.pass(time.Second)
	b.want("", "a[1] b[2]")
	b.say("a:x", "b:x", "c:x", "d:x", "e:x")
	b.answer(Result{Verdict: Suspect}, None)
	b.want("R8: each alone, without those that came later; c, d and e are three", "a[1]", "b[2]")
	b.answer(ok, None)
	b.answer(ok, None)
	b.want("R8: trusted again, in company", "a[3] b[4] c[5] d[6] e[7]")
}

// R8: a failure that stays while others fare well is searched for poison, and
// one that everybody has is not.
func TestAFailureThatStays(t *testing.T) {
	b := newBench(t, limits)
	doubt := Result{Verdict: Doubt}
	b.say("a:x", "a:x")
	fail := func() (again int) { // until what is left of call a is settled, or for an hour
		for end := b.now.Add(time.Hour); b.now.Before(end) && !b.p.idle(); b.pass(time.Second) {
			b.sent()
			for len(b.inAir) > 0 {
				v := doubt
				if r := b.inAir[0]; r.Entries[0].Call == "b" || len(r.Entries[0].Utterances) == 1 && r.Entries[0].Utterances[0].Position == 1 {
					v = ok
				}
				for _, s := range b.answer(v, None) {
					if s.Rejected != "" && (s.Position != 2 || s.Rejected != ReasonRefused) {
						t.Errorf("R8: %d is rejected as %q", s.Position, s.Rejected)
					}
				}
				again++
			}
		}
		return again
	}
	fail()
	if b.p.idle() || b.p.calls["a"].suspects > 0 {
		t.Error("R8: an org that only fails has cost an utterance, or made a suspect")
	}
	b.say("b:x")
	fail()
	if !b.p.idle() {
		t.Errorf("R8: %d utterances are held an hour after the org has taken another call's", b.p.held)
	}
}

// R7: a call that was refused once and is taken again rests no more.
func TestARestEndsWithSuccess(t *testing.T) {
	b := newBench(t, limits)
	b.say("a:x!")
	b.want("R6", "a[1] single")
	b.answer(Result{Verdict: Retry}, None)
	b.pass(time.Second)
	b.want("R7: after its rest", "a[1] single")
	b.say("a:x!") // so that the call is not forgotten meanwhile
	b.answer(ok, None)
	b.want("R7: taken, it rests no more", "a[2] single")
	b.say("a:x!")
	b.answer(ok, None)
	b.want("R7: nor later", "a[3] single")
}

// R8: what is left after a good half is halved again, so that the poison of
// eight is found in as few requests as a search takes.
func TestPoisonIsSearchedInHalves(t *testing.T) {
	lim := limits
	lim.MaxMessages = 8
	b := newBench(t, lim)
	for range 8 {
		b.say("a:x")
	}
	b.pass(time.Second)
	var sent []string
	for range 20 {
		b.sent()
		if len(b.inAir) == 0 {
			break
		}
		v := ok
		for _, u := range b.inAir[0].Entries[0].Utterances {
			if u.Position == 8 {
				v = Result{Verdict: Suspect}
			}
		}
		sent = append(sent, show(b.inAir[0]))
		b.answer(v, None)
		b.pass(time.Minute)
	}
	want := "a[1 2 3 4 5 6 7 8]; a[1 2 3 4 5 6 7 8]; a[1 2 3 4]; a[5 6]; a[7]; a[8]"
	if got := strings.Join(sent, "; "); got != want {
		t.Errorf("R8: sent %s, want %s", got, want)
	}
}
