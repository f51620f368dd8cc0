package ingest

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"github.com/VictoriaMetrics/metrics"
	"pgregory.net/rapid"
)

const resume = time.Minute

// G1 to G5 hold whatever happens, and nothing is left when all time is over.
func TestRegistry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newRegistry()
		now := time.Unix(1573503300, 0)
		owners := []*connection{{holder: g.holder()}, {holder: g.holder()}}
		var places []place // that were noted
		pick := func(t *rapid.T) *stream {
			if len(g.streams) == 0 {
				t.Skip("no stream")
			}
			n := rapid.IntRange(0, 3).Draw(t, "stream")
			for _, call := range []string{"one", "two"} {
				if s := g.streams[spool.StreamID{Call: call, ID: fmt.Sprint(n)}]; s != nil {
					return s
				}
			}
			t.Skip("not that one")
			return nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				o := &opening{id: spool.StreamID{
					Call: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "call"),
					ID:   fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "id")),
				}}
				o.call = rapid.SampledFrom([]string{o.id.Call, "parent"}).Draw(t, "lane")
				s := g.stream(o)
				s.owner = rapid.SampledFrom(owners).Draw(t, "owner")
			},
			"accept": func(t *rapid.T) {
				s := pick(t)
				s.used = s.offer(s.expected()) == accepted || s.used
			},
			"commit": func(t *rapid.T) {
				s := pick(t)
				s.commit(s.received)
				if s.ended {
					s.commitEnd()
				}
			},
			"end":      func(t *rapid.T) { g.end(pick(t)) },
			"rollback": func(t *rapid.T) { g.rollback(pick(t)) },
			"let go": func(t *rapid.T) {
				if s := pick(t); s.owner != nil {
					g.wait(s, now)
				}
			},
			"remember": func(t *rapid.T) {
				owner := rapid.SampledFrom([]holder{0, owners[0].holder, owners[1].holder}).Draw(t, "owner")
				p, _ := g.remember(pick(t).call, g.hasher.hash(rapid.SampledFrom([]string{"m", "n"}).Draw(t, "id")), owner, now)
				places = append(places, p)
			},
			"keep": func(t *rapid.T) { g.keep(rapid.SampledFrom(append(places, 0)).Draw(t, "place"), owners[0].holder) },
			"drop": func(t *rapid.T) { g.drop(rapid.SampledFrom(append(places, 0)).Draw(t, "place"), owners[0].holder) },
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
				due := g.due(now.Add(-resume))
				g.expire(now.Add(-resume))
				for _, s := range due {
					if g.streams[s.id] == s {
						t.Fatalf("stream %v was due and is still there", s.id)
					}
				}
			},
			"": func(t *rapid.T) { g.check(t, now) },
		})
		for _, s := range g.streams {
			if s.owner != nil {
				g.wait(s, now)
			}
		}
		g.expire(now)
		if len(g.streams)+len(g.calls)+len(g.line)+g.ids.len()+g.active != 0 {
			t.Fatalf("at the end of time %d streams, %d calls, %d in line, %d ids, %d active are left",
				len(g.streams), len(g.calls), len(g.line), g.ids.len(), g.active)
		}
	})
}

func (g *registry) check(t *rapid.T, now time.Time) {
	active, joined := 0, 0
	for k, c := range g.calls {
		live := 0
		for seat, s := range c.streams {
			joined++
			if g.streams[s.id] != s || s.call != c {
				t.Fatalf("G1: stream %v is in call %v and not among the streams", s.id, k)
			}
			if s.seat != seat {
				t.Fatalf("G1: stream %v has seat %d in call %v, sits on %d", s.id, s.seat, k, seat)
			}
			if !s.ended {
				live++
			}
		}
		if live != c.live {
			t.Fatalf("G5: call %v says %d live streams, has %d", k, c.live, live)
		}
		if live > 0 {
			active++
		}
		if len(c.streams) == 0 && c.ids.used == 0 {
			t.Fatalf("G4: call %v has neither stream nor id", k)
		}
	}
	if joined != len(g.streams) {
		t.Fatalf("G1: %d streams are in calls, %d among the streams", joined, len(g.streams))
	}
	if active != g.active {
		t.Fatalf("G5: active is %d, want %d", g.active, active)
	}
	waits := map[*stream]bool{}
	for i, w := range g.line {
		if i > 0 && w.since.Before(g.line[i-1].since) {
			t.Fatalf("G3: %v stands behind %v in line", w.since, g.line[i-1].since)
		}
		if w.stillWaits() {
			waits[w.stream] = true
			if now.Sub(w.since) >= resume && now.Sub(w.since) > time.Minute+time.Second {
				t.Fatalf("stream %v has waited for %v", w.stream.id, now.Sub(w.since))
			}
		}
	}
	for _, s := range g.streams {
		if s.owner == nil && !waits[s] {
			t.Fatalf("G2: stream %v has no owner and is not in line", s.id)
		}
	}
}

// A message id is seen by everybody when it is safe, before that only by who
// took it in; taken back, it was never there.
func TestSeen(t *testing.T) {
	g := newRegistry()
	now := time.Unix(1573503300, 0)
	c := g.call(callKeyOf{"", "k"})
	mine, other := g.holder(), g.holder()
	id := g.hasher.hash("m")
	want := func(when string, byMe, byOther bool) {
		t.Helper()
		if a, b := g.seen(c, id, mine), g.seen(c, id, other); a != byMe || b != byOther {
			t.Errorf("%s: seen by me %v, by another %v, want %v, %v", when, a, b, byMe, byOther)
		}
	}
	want("at first", false, false)
	p, _ := g.remember(c, id, mine, now)
	want("taken in", true, false)
	g.drop(p, other)
	want("dropped by another", true, false)
	g.drop(p, mine)
	want("dropped", false, false)
	p, _ = g.remember(c, id, mine, now)
	g.keep(p, other)
	want("kept by another", true, false)
	g.keep(p, mine)
	want("safe", true, true)
	g.drop(p, mine)
	want("dropped when safe", true, true)
	g.expire(now.Add(-1))
	want("before its time", true, true)
	g.expire(now)
	want("after its time", false, false)
}

// What could not be stored is not remembered, nor the memory of it kept: a
// client may send it again, and again, for as long as the trouble lasts.
func TestFailureIsForgotten(t *testing.T) {
	closed := spool.NewMemory()
	closed.Close()
	s := New(Config{}, closed, metrics.NewSet(), slog.New(slog.DiscardHandler))
	p := &post{call: callKeyOf{"", "k"}, records: []*spool.Record{{MessageID: "m", Received: time.Now()}}}
	if err := s.storePost(t.Context(), p); err == nil {
		t.Error("a closed spool took a post")
	}
	if n := len(s.registry.calls); n != 0 {
		t.Errorf("%d calls are remembered of a post that failed", n)
	}
	g := newRegistry()
	owner := &connection{holder: g.holder()}
	c := g.call(callKeyOf{"", "k"})
	at, _ := g.remember(c, g.hasher.hash("m"), owner.holder, time.Now())
	c.marked = true
	g.revoke(&turn{ids: []place{at}, marked: []*call{c}}, owner)
	if c.ids.used != 0 || len(g.calls) != 0 || c.marked {
		t.Errorf("%d ids, %d calls, marked %v are left of a turn that was revoked", c.ids.used, len(g.calls), c.marked)
	}
}
