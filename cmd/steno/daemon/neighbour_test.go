package daemon

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/steno/bench/workload"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// An org that refuses everything for a minute delays nothing of its neighbour.
//
//	go test ./cmd/steno/daemon -run Neighbour -v
func TestNeighbourIsNotDelayed(t *testing.T) {
	run := func(trouble bool) (p50, p99 time.Duration, n int) {
		inTown(t, alike(busy, "calm", "troubled"), func(v *town) {
			time.Sleep(time.Second)
			begin := time.Now()
			if trouble {
				time.AfterFunc(time.Minute, func() { v.homes["troubled"].org.Down(orgsim.Unavailable) })
				time.AfterFunc(2*time.Minute, v.homes["troubled"].org.Up)
			}
			var playing sync.WaitGroup
			said := map[string]time.Time{}
			playing.Go(func() { v.play("calm", 100, 3*time.Minute, said) })
			playing.Go(func() { v.play("troubled", 100, 3*time.Minute, nil) })
			playing.Wait()
			var all []time.Duration
			for _, call := range v.homes["calm"].org.Ledger().Calls {
				for _, m := range call.Messages {
					if at := said[m.MessageID]; at.Sub(begin) > time.Minute && at.Sub(begin) < 2*time.Minute+30*time.Second {
						all = append(all, time.UnixMilli(m.StoredAt).Sub(at))
					}
				}
			}
			slices.Sort(all)
			p50, p99, n = at(all, .5), at(all, .99), len(all)
			for _, h := range v.homes {
				v.settle(h)
				v.whole(h)
			}
		})
		return p50, p99, n
	}
	p50, p99, n := run(false)
	bad50, bad99, m := run(true)
	t.Logf("%d utterances: p50 %v, p99 %v; beside an org that refuses everything for a minute %d: %v, %v", n, p50, p99, m, bad50, bad99)
	if n < 1000 || m < 1000 {
		t.Fatalf("%d and %d utterances: too few to say anything", n, m)
	}
	if moved := (bad99 - p99).Abs(); moved > p99/10 {
		t.Errorf("the p99 moves from %v to %v, want less than 10 %%", p99, bad99)
	}
}

// play lets an org say what n recorded calls say, and notes when, by message id.
func (v *town) play(name string, n int, d time.Duration, said map[string]time.Time) {
	calls, _, err := workload.Default(workload.Find())
	if err != nil {
		v.t.Error(err)
		return
	}
	h := v.homes[name]
	c, hangUp := v.engine(name + "-1")
	defer hangUp()
	streams, begin := map[int]*client.Stream{}, time.Now()
	for a := range workload.Play(calls, workload.PlayOptions{Concurrent: n, Seed: 1, Duration: d, RandomPhase: true}) {
		time.Sleep(time.Until(begin.Add(a.At)))
		call := fmt.Sprint("call-", a.Call)
		s := streams[a.Call]
		if s == nil {
			s = v.speak(c, call)
			streams[a.Call] = s
		}
		v.say(h, s, call)
		if said != nil {
			said[h.want[call][len(h.want[call])-1]] = time.Now()
		}
		if a.Last {
			delete(streams, a.Call)
			if err := s.Close(v.t.Context(), "end"); err != nil {
				v.t.Errorf("close: %v", err)
			}
		}
	}
	time.Sleep(10 * time.Second)
}
