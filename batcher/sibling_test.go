package batcher

import (
	"testing"
	"time"
)

func TestSiblingsGateIsOurs(t *testing.T) {
	b := newBench(t, limits)
	b.p.name = "2"
	b.say("a:x!")
	b.p.hear(b.now, "1", Share{Life: 7, Trouble: Down})
	b.want("S2: a sibling holds the org back")
	b.pass(2 * time.Second)
	b.p.hear(b.now, "1", Share{Life: 7, Trouble: Down})
	b.pass(silence - 1)
	b.want("S2: still")
	b.p.hear(b.now, "1", Share{Life: 7})
	b.want("S2: it says that it is over", "a[1] single")
	b.answer(ok, None)

	b.p.hear(b.now, "1", Share{Life: 7, Trouble: Down})
	b.say("a:y!")
	if at := b.p.wake(b.now); !at.Equal(b.now.Add(silence)) {
		t.Errorf("wakes at %v, want when the silence is over", at.Sub(b.now))
	}
	b.pass(silence)
	b.want("S3: it says nothing any more", "a[2] single")

	b.answer(Result{Verdict: Retry}, Down)
	b.p.hear(b.now, "1", Share{Life: 7, Trouble: Down})
	b.p.hear(b.now, "3", Share{Life: 9, Trouble: Down})
	b.pass(time.Second)
	b.want("S2: both have met it, and the other is the first by name")
	b.p.hear(b.now, "1", Share{Life: 7})
	b.want("S2: now we are", "a[2] single")
	if got := b.p.share().Trouble; got != Down {
		t.Errorf("tells %v until the try has gone well, want %v", got, Down)
	}
	b.answer(ok, None)
	if got := b.p.share().Trouble; got != None {
		t.Errorf("tells %v after it, want %v", got, None)
	}
}

func TestSiblingsCountIsOurs(t *testing.T) {
	b := newBench(t, limits)
	hear := func(from string, s Share, want float64) {
		t.Helper()
		b.p.hear(b.now, from, s)
		if got := b.p.pace.budget.spent(b.now); got != want {
			t.Errorf("%s told %+v: %v requests are spent, want %v", from, s, got, want)
		}
	}
	hear("1", Share{Life: 1, Requests: 100, Utterances: 300}, 0) // S1: in the history
	hear("1", Share{Life: 1, Requests: 110, Utterances: 350}, 10)
	hear("1", Share{Life: 1, Requests: 110, Utterances: 350}, 10)
	hear("1", Share{Life: 1, Requests: 105, Utterances: 320}, 10) // it was overtaken
	hear("1", Share{Life: 1, Requests: 111, Utterances: 350}, 11)
	hear("1", Share{Life: 2, Requests: 4, Utterances: 4}, 15)     // another daemon works on those calls now
	hear("1", Share{Life: 1, Requests: 112, Utterances: 350}, 15) // a word of the daemon before, which was cut off
	hear("1", Share{Life: 2, Requests: 4, Utterances: 4}, 15)
	hear("2", Share{Life: 1, Requests: 50}, 15)
	hear("2", Share{Life: 1, Requests: 51}, 16)
	b.say("a:x!")
	b.sent()
	if got := b.p.share(); got.Requests != 1 || got.Utterances != 1 {
		t.Errorf("tells %+v, want only what is its own", got)
	}
	if got := b.p.pace.budget.at(b.now).Utterances; got != 55 {
		t.Errorf("%v utterances were heard, want 50 and 4 of the sibling and one of our own", got)
	}
}
