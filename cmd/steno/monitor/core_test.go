package monitor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/steno/ingest"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// A quantile is within a bucket of what the sorted durations say.
func TestQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.IntRange(1, 200_000), 1, 50).Draw(t, "ms")
		q := rapid.SampledFrom([]float64{.5, .95, .99, 1}).Draw(t, "q")
		var h histogram
		below := func(d time.Duration) (n int) {
			for _, ms := range all {
				if time.Duration(ms)*time.Millisecond <= d {
					n++
				}
			}
			return n
		}
		for _, ms := range all {
			h[bucketOf(time.Duration(ms)*time.Millisecond)]++
		}
		got := h.quantile(q)
		if n := below(time.Duration(float64(got) * growth)); float64(n) < q*float64(len(all)) {
			t.Fatalf("quantile(%v) of %v = %v: only %d are not above it", q, all, got, n)
		}
		if n := below(time.Duration(float64(got)/growth) - time.Millisecond); float64(n) > q*float64(len(all))+1 {
			t.Fatalf("quantile(%v) of %v = %v: %d are far below it", q, all, got, n)
		}
	})
}

func TestQuantileOfNothing(t *testing.T) {
	var h histogram
	if got := h.quantile(.95); got != 0 {
		t.Errorf("quantile of nothing = %v, want 0", got)
	}
}

func TestBucketsHoldTheirBounds(t *testing.T) {
	for b := range buckets - 1 {
		low, high := bound(b), bound(b+1)
		if got := bucketOf((low + high) / 2); got != b {
			t.Errorf("the middle of bucket %d, %v, is in bucket %d", b, (low+high)/2, got)
		}
	}
	if got := bucketOf(time.Hour); got != buckets-1 {
		t.Errorf("an hour is in bucket %d, want the last", got)
	}
}

// W1: a window is the sum of what was booked in its last slots, whatever was
// there before and however long nothing happened.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWindow(time.Second, 7)
		now := noon
		var booked []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			w.at(now).accepted++
			booked = append(booked, now)
		}
		n := rapid.IntRange(1, 7).Draw(t, "slots")
		want := uint32(0)
		for _, at := range booked {
			if now.Unix()-at.Unix() < int64(n) {
				want++
			}
		}
		if sum := w.last(now, n); sum.accepted != want {
			t.Fatalf("W1: the last %d s hold %d, want %d", n, sum.accepted, want)
		}
	})
}

func TestClock(t *testing.T) {
	f := func(rule string, want time.Duration, delays ...time.Duration) {
		t.Helper()
		var c clock
		for i, d := range delays {
			c.hear(noon.Add(time.Duration(i)*5*time.Second), d)
		}
		if got := c.error(); got != want {
			t.Errorf("%s: delays %v give an error of %v, want %v", rule, delays, got, want)
		}
	}
	ms := time.Millisecond
	f("nothing heard", 0)
	f("K4: a usual delay", 0, 400*ms, 700*ms, 9000*ms)
	f("K4: one slow utterance among others", 0, 9000*ms, 500*ms)
	f("K2: ahead", -30*time.Second, -29*time.Second, -30*time.Second)
	f("K3: behind", 29500*ms, 31*time.Second, 30500*ms)
	f("K1: it was right ten seconds ago", 0, 400*ms, 30500*ms, 30600*ms)
	// Three in each period of 15 s: by the third period the first is forgotten.
	f("K1: it has been put back", 29500*ms, 400*ms, 400*ms, 400*ms, 30500*ms, 30500*ms, 30500*ms, 30500*ms)
	// Silence for a whole period: what was before says nothing.
	var c clock
	c.hear(noon, 400*ms)
	c.hear(noon.Add(time.Minute), -5*time.Second)
	c.hear(noon.Add(2*time.Minute), 30500*ms)
	if got := c.error(); got != 29500*ms {
		t.Errorf("K1: after a minute of silence the error is %v, want 29.5s", got)
	}
}

// J1: wherever a journey leads, its stages add up to the time from the end of
// speech to the moment when it is looked at.
func TestStagesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := func(what string) time.Duration {
			return time.Duration(rapid.IntRange(0, 5000).Draw(t, what)) * time.Millisecond
		}
		c := &call{}
		received := noon.Add(step("engine"))
		now := received.Add(step("spool"))
		company := step("company")
		other := rapid.Bool().Draw(t, "another request of the call is under way")
		if other {
			c.lane.take(stampOf(now.Add(-step("since"))))
		}
		j := &journey{call: c, spoken: stampOf(noon), received: stampOf(received), read: stampOf(now), laneBefore: c.lane.busy(stampOf(now))}
		if other {
			now = now.Add(step("until the lane is free"))
			c.lane.free(stampOf(now))
		}
		for range rapid.IntRange(0, 4).Draw(t, "requests") {
			now = now.Add(step("wait"))
			j.leave(stampOf(now), company)
			c.lane.take(stampOf(now))
			now = now.Add(step("request"))
			j.land(stampOf(now))
			c.lane.free(stampOf(now))
		}
		now = now.Add(step("after"))
		var sum time.Duration
		for s, d := range j.spent(stampOf(now), company) {
			if d < 0 {
				t.Fatalf("J1: %v spent in %v", d, stage(s))
			}
			sum += d
		}
		if want := now.Sub(noon); sum != want {
			t.Fatalf("J1: the stages add up to %v, want %v: %v", sum, want, j.spent(stampOf(now), company))
		}
	})
}

func TestWhere(t *testing.T) {
	const company = 200 * time.Millisecond
	f := func(rule string, want stage, prepare func(*journey)) {
		t.Helper()
		j := &journey{call: &call{}, spoken: stampOf(noon), received: stampOf(noon), read: stampOf(noon)}
		prepare(j)
		if got := j.where(stampOf(noon.Add(time.Second)), company); got != want {
			t.Errorf("%s: it is in %v, want %v", rule, got, want)
		}
	}
	f("a request is under way", atSalesforce, func(j *journey) { j.leave(stampOf(noon.Add(company)), company) })
	f("J3: between requests", heldBack, func(j *journey) {
		j.leave(stampOf(noon.Add(company)), company)
		j.land(stampOf(noon.Add(300 * time.Millisecond)))
	})
	f("its call's lane is taken", inLane, func(j *journey) { j.call.lane.take(stampOf(noon)) })
	f("J2: it might have left long ago", heldBack, func(*journey) {})
	f("it waits for company", forCompany, func(j *journey) { j.read = stampOf(noon.Add(900 * time.Millisecond)) })
}

func TestSilentSide(t *testing.T) {
	f := func(what, want string, customer, agent time.Duration, open bool, age time.Duration) {
		t.Helper()
		c := &call{since: noon.Add(-age)}
		if customer >= 0 {
			c.customer = noon.Add(-customer)
		}
		if agent >= 0 {
			c.agent = noon.Add(-agent)
		}
		if open {
			c.streams = 1
		}
		if got := c.silentSide(noon); got != want {
			t.Errorf("%s: the silent side is %q, want %q", what, got, want)
		}
	}
	const never, s, m = -1, time.Second, time.Minute
	f("both speak", "", s, s, true, 10*m)
	f("the agent was never heard", "agent", s, never, true, 3*m)
	f("the customer has stopped", "customer", 2*m, s, true, 10*m)
	f("a young call", "", s, never, true, m)
	f("nobody speaks", "", 3*m, 3*m, true, 10*m)
	f("the call is over", "", s, never, false, 10*m)
	f("nobody has ever spoken", "", never, never, true, 10*m)
}

// L3: whatever comes, a call keeps little, and text only where it may.
func TestCallIsBounded(t *testing.T) {
	c := &call{}
	for i := range 100 {
		c.hint(noon, ingest.Partial{Speaker: fmt.Sprint(i), Content: strings.Repeat("ü", maxText)}, true)
		c.add(said{sender: endUser}, "x", noon.Add(time.Duration(i)*time.Second))
	}
	if len(c.said.ring) != maxSaid || len(c.partial) != maxPartials {
		t.Errorf("L3: %d utterances and %d partials are kept, want %d and %d", len(c.said.ring), len(c.partial), maxSaid, maxPartials)
	}
	if want := noon.Add(99 * time.Second); !c.heard.Equal(want) || !c.customer.Equal(want) {
		t.Errorf("heard at %v, of the customer at %v, want the last one's %v", c.heard, c.customer, want)
	}
	for _, p := range c.partial {
		if len(p.text) > maxText+len("…") || !strings.HasSuffix(p.text, "ü…") {
			t.Errorf("L3: a partial has %d bytes and ends in %q", len(p.text), p.text[len(p.text)-6:])
		}
	}
	c.partial = nil
	if c.hint(noon, ingest.Partial{Speaker: "a", Content: "secret"}, false); c.partial["a"].text != "" {
		t.Error("a partial's text is kept though it may not be")
	}
}

// The calls that are shown are those that a sort would put first.
func TestFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var calls []*call
		oldest := map[*call]time.Time{}
		for i := range rapid.IntRange(0, 40).Draw(t, "calls") {
			c := &call{key: callKey{key: fmt.Sprint(i)}, since: noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "since")) * time.Second)}
			if wait := rapid.IntRange(0, 3).Draw(t, "waits"); wait > 0 {
				oldest[c] = noon.Add(-time.Duration(wait) * time.Second)
			}
			calls = append(calls, c)
		}
		key := func(c *call) string { // sorts as the calls do
			wait := time.Duration(0)
			if at, waits := oldest[c]; waits && noon.Sub(at) > time.Second {
				wait = noon.Sub(at)
			}
			return fmt.Sprintf("%d %d %s", 9-wait/time.Second, 9-c.since.Sub(noon)/time.Second, c.key.key)
		}
		want := slices.SortedFunc(slices.Values(calls), func(a, b *call) int { return strings.Compare(key(a), key(b)) })
		n := rapid.IntRange(1, 45).Draw(t, "n")
		got := first(calls, noon, oldest, n)
		if want = want[:min(n, len(want))]; !slices.Equal(got, want) {
			t.Fatalf("the first %d are %d calls, want %d in the order of a sort", n, len(got), len(want))
		}
	})
}
