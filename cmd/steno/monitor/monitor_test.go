package monitor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
)

// The stamps and the time at Salesforce are right whether an entry is delivered,
// in part or whole, or must go again.
func TestRequestsThatComeBack(t *testing.T) {
	f := func(r batcher.Result) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			m := New(Config{Metrics: metrics.NewSet(), Company: func() time.Duration { return 0 }})
			var all []*batcher.Utterance
			for _, id := range []string{"m0", "m1"} {
				all = append(all, &batcher.Utterance{Record: &spool.Record{Call: "a", MessageID: id, Spoken: time.Now(), Received: time.Now()}, Attempts: 1})
			}
			request := batcher.Request{Entries: []batcher.Entry{{Call: "a", Utterances: all}}}
			m.Taken(all)
			m.Sending(request)
			<-time.After(time.Second)
			m.Answered(request, batcher.Outcome{Results: []batcher.Result{r}, Written: time.Now(), Answered: time.Now()})
			for i, u := range all {
				j := journeyOf(u)
				if got := j.spent(stampOf(time.Now()), 0)[atSalesforce]; got != time.Second {
					t.Errorf("%+v: utterance %d was at Salesforce for %v, want a second", r, i, got)
				}
				if j.call.lane.taken != 0 {
					t.Errorf("%+v: the lane is taken", r)
				}
				said := j.said()
				if r.Verdict == batcher.Deliver {
					m.Settled([]batcher.Settled{{Utterance: u, Answered: time.Now()}})
				}
				if said.written != stampOf(time.Now()) {
					t.Errorf("%+v: utterance %d was written at %v, now is %v", r, i, said.written, stampOf(time.Now()))
				}
			}
		})
	}
	f(batcher.Result{Verdict: batcher.Deliver})
	f(batcher.Result{Verdict: batcher.Deliver, Only: []string{"m0"}})
	f(batcher.Result{Verdict: batcher.Retry})
}
