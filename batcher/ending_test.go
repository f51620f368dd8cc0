package batcher

import (
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

var endGrace = Limits{MaxEntries: 5, MaxMessages: 5, MaxInFlight: 64, MaxWait: time.Second, EndGrace: time.Minute}

// over checks what R10 gives up.
func (b *bench) over(rule string, want ...spool.Position) {
	b.t.Helper()
	var got []spool.Position
	for _, s := range b.p.takeOver() {
		if s.Rejected != ReasonCallEnded {
			b.t.Errorf("%s: %d is rejected as %q", rule, s.Position, s.Rejected)
		}
		got = append(got, s.Position)
	}
	if len(got) != len(want) {
		b.t.Errorf("%s: gave up %v, want %v", rule, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			b.t.Errorf("%s: gave up %v, want %v", rule, got, want)
		}
	}
}

func TestWhatIsLeftOfAnEndedCall(t *testing.T) {
	b := newBench(t, endGrace)
	b.say("a:x")
	b.end("a") // 2
	b.want("R4: an ended call is flushed", "a[1]")
	if b.inAir[0].late != 0 {
		t.Error("the flush at a call's end counts as late")
	}
	b.answer(Result{Verdict: Retry}, Down)
	b.pass(59 * time.Second)
	b.want("R10: within the grace it is sent", "a[1]")
	b.over("R10: within the grace")
	b.answer(Result{Verdict: Retry}, Down)
	b.pass(time.Minute)
	b.want("R10: after it, it is not")
	b.over("R10: after the grace", 1)
	if !b.p.idle() {
		t.Errorf("%d utterances are held, %d in flight", b.p.held, b.p.inFlight)
	}
}

func TestAnEndedCallInFlightIsLeftToItsAnswer(t *testing.T) {
	b := newBench(t, endGrace)
	b.say("a:x", "a:x")
	b.end("a")
	b.want("R4", "a[1 2]")
	b.pass(2 * time.Minute)
	b.sent()
	b.over("R10: in flight")
	b.answer(Result{Verdict: Reject, Reason: "invalid", Only: []string{"a1"}, Others: Retry}, None)
	b.over("R10: what must be sent again is too late", 2)
}

func TestStragglers(t *testing.T) {
	b := newBench(t, endGrace)
	b.end("a")
	b.pass(30 * time.Second)
	b.say("a:x") // 2
	b.want("R4: a straggler waits for no company", "a[2]")
	if b.inAir[0].late != 1 {
		t.Errorf("%d late utterances in the request, want 1", b.inAir[0].late)
	}
	b.answer(ok, None)
	b.pass(31 * time.Second)
	b.say("a:x") // 3
	b.want("R10: after the grace")
	b.over("R10: after the grace", 3)

	// One of a stream says that the call goes on.
	b.pos++
	b.p.add(b.now, &spool.Record{Position: b.pos, Call: "a", Speaker: "x", Stream: spool.StreamID{Call: "a", ID: "leg-2"}, Received: b.now})
	b.want("R10: the call has begun anew, and waits for company")
	b.pass(time.Second)
	b.want("R10: the call has begun anew", "a[4]")
	b.say("a:x")
	b.over("R10: and stays so")
}

// A dead letter that somebody retries is sent, whatever the mark says.
func TestARetriedLetterOfAnEndedCall(t *testing.T) {
	b := newBench(t, endGrace)
	b.end("a")
	b.pass(time.Hour)
	letter := spool.DeadLetter{ID: 7, Record: spool.Record{Call: "a", Speaker: "x", MessageID: "a1"}}
	again := letter.Again(b.now)
	again.Position = 2
	b.p.add(b.now, again)
	b.over("R10: a retry")
	b.pass(time.Second)
	b.want("R10: a retry is sent", "a[2]")
	b.answer(Result{Verdict: Retry}, Down)
	b.over("R10: nor is it given up when it must go again")
	b.pass(time.Minute)
	b.want("R10: it goes again", "a[2]")
}

func TestEndingsAreForgotten(t *testing.T) {
	e, now := newEndings(), time.Unix(1_700_000_000, 0)
	e.add("first", now)
	for i := range 1000 {
		e.add("a"+string(rune('a'+i%26)), now.Add(time.Duration(i)*time.Second))
	}
	if _, ok := e.at["first"]; !ok {
		t.Error("E3: forgotten within the day")
	}
	e.add("last", now.Add(endingsKept+time.Hour))
	if len(e.at) != 1 || len(e.told) != 1 {
		t.Errorf("E3: %d calls, %d entries are remembered after a day, want the last", len(e.at), len(e.told))
	}
	for i := range maxEndings + 10 {
		e.add("x"+time.Duration(i).String(), now.Add(endingsKept+time.Hour))
	}
	if len(e.at) > maxEndings {
		t.Errorf("E3: %d calls are remembered, want at most %d", len(e.at), maxEndings)
	}
}
