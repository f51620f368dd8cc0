package batcher

import (
	"testing"
	"time"
)

// throttled is an org that takes limit requests in any span, and a sender with
// endless work that has one request in flight at a time.
type throttled struct {
	limit          int
	taken          []time.Time
	taken1, denied int
}

func (o *throttled) takes(now time.Time) bool {
	for len(o.taken) > 0 && now.Sub(o.taken[0]) >= 30*time.Second {
		o.taken = o.taken[1:]
	}
	if len(o.taken) >= o.limit {
		o.denied++
		return false
	}
	o.taken, o.taken1 = append(o.taken, now), o.taken1+1
	return true
}

// press sends through b's packer whatever may go, for a time, a step of 10 ms
// after the other.
func (o *throttled) press(b *bench, d time.Duration) {
	for end := b.now.Add(d); b.now.Before(end); b.pass(10 * time.Millisecond) {
		for b.p.held < 300 {
			b.say(string(rune('a'+b.pos%26)) + ":x")
		}
		b.sent()
		for len(b.inAir) > 0 {
			trouble, v := None, ok
			if !o.takes(b.now) {
				trouble, v = Throttled, Result{Verdict: Retry}
			}
			b.answer(v, trouble)
		}
	}
}

// W1, W2: what the org allows is used, and no more than that is asked for.
func TestWindowUsesWhatIsAllowed(t *testing.T) {
	for _, limit := range []int{1, 10, 300} {
		b, o := newBench(t, limits), &throttled{limit: limit}
		o.press(b, 10*time.Minute)
		allowed := limit * 20
		if o.taken1 < allowed*94/100 {
			t.Errorf("limit %d: %d requests taken in 10 min, want at least 94 %% of %d", limit, o.taken1, allowed)
		}
		if o.denied > 30 {
			t.Errorf("limit %d: %d requests refused in 10 min, want a proof each 30 s and those that taught the limit", limit, o.denied)
		}
	}
}

// W3: a limit that was raised, or learned too low, is found out within minutes.
func TestWindowFindsMoreRoom(t *testing.T) {
	b, o := newBench(t, limits), &throttled{limit: 10}
	o.press(b, 5*time.Minute)
	o.limit = 1000
	o.press(b, 3*time.Minute)
	o.taken1 = 0
	o.press(b, time.Minute)
	if o.taken1 < 200 {
		t.Errorf("%d requests taken in a minute that allows 2000, three minutes after it allowed 20", o.taken1)
	}
}

// W4: a limit that was lowered is found out at once.
func TestWindowFindsLessRoom(t *testing.T) {
	b, o := newBench(t, limits), &throttled{limit: 500}
	o.press(b, 5*time.Minute)
	o.limit, o.denied = 50, 0
	o.press(b, 5*time.Minute)
	if o.denied > 20 {
		t.Errorf("%d requests refused after the limit became a tenth", o.denied)
	}
}

// W1, W5: one refusal teaches nothing, and an old limit is forgotten.
func TestWindowForgets(t *testing.T) {
	b := newBench(t, limits)
	refuse := func() {
		t.Helper()
		b.say("a:x!")
		b.pass(time.Minute)
		b.want("the urgent one goes", "a[1] single")
		b.answer(Result{Verdict: Retry}, Throttled)
	}
	refuse()
	if b.p.window.limit != 0 {
		t.Errorf("one refusal taught a limit of %d", b.p.window.limit)
	}
	b.pass(7 * time.Second)
	b.sent()
	b.answer(Result{Verdict: Retry}, Throttled)
	if b.p.window.limit == 0 {
		t.Error("two refusals within the window taught nothing")
	}
	b.pass(forgetAfter)
	if at, _ := b.p.opens(b.now); at.After(b.now) || b.p.window.limit != 0 {
		t.Errorf("a limit of %d is believed for longer than %v", b.p.window.limit, forgetAfter)
	}
}
