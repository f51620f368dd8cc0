package durable_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/batcher/spool/spooltest"
)

// connect shares one connection.
func connect(t testing.TB, url string) *durable.Connection {
	t.Helper()
	c, err := durable.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, cfg durable.Config) *durable.Spool {
	t.Helper()
	s, err := durable.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// allOurs is the lease of who is never relieved.
func allOurs() error { return nil }

// TestConformanceNamed is the suite on a spool that is one of many.
func TestConformanceNamed(t *testing.T) {
	spooltest.RunOutside(t, func(t *testing.T) spool.Spool {
		conn := connect(t, jetStream(t))
		for _, name := range []string{"", "acme-1"} { // neighbours
			s := open(t, durable.Config{Name: name, Conn: conn, Lease: allOurs})
			say(t, s, 1, 3, "other")
			closeIt(t, s)
		}
		return open(t, durable.Config{Name: "acme-0", Conn: conn, Lease: allOurs})
	})
}

func TestManySpoolsInOneStore(t *testing.T) {
	url := jetStream(t)
	conn := connect(t, url)
	names := []string{"", "a", "a_1_0", "a-1", "=2e"}
	for round := range 2 {
		var all []*durable.Spool
		for i, name := range names {
			s := open(t, durable.Config{Name: name, Conn: conn, Lease: allOurs})
			if round == 0 {
				say(t, s, 1, uint64(i+1), name)
			}
			all = append(all, s)
		}
		for i, s := range all {
			if rs := drain(t, s); names[i] != "b" {
				wantWhole(t, rs, 1, uint64(i+1), names[i])
			} else if len(rs) > 0 {
				t.Errorf("a new spool has %d utterances of another's", len(rs))
			}
			if round == 0 {
				closeIt(t, s)
				continue
			}
			if st := s.Stats(); st.Frames > 2*uint64(i+2) {
				t.Errorf("the spool %q counts %d frames", names[i], st.Frames)
			}
			closeIt(t, s)
		}
		names[1] = "b" // of which nothing is there
	}
	for _, bad := range []string{"a.b", "a b", "*", "ü", strings.Repeat("x", 201)} {
		if _, err := durable.Open(t.Context(), durable.Config{Name: bad, Conn: conn}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("a spool named %q: %v", bad, err)
		}
	}
}

// A named spool without a Lease has one of its own.
func TestNamedLeases(t *testing.T) {
	conn := connect(t, jetStream(t))
	a, b := open(t, durable.Config{Name: "a", Conn: conn}), open(t, durable.Config{Name: "b", Conn: conn})
	defer closeIt(t, b)
	if _, err := durable.Open(t.Context(), durable.Config{Name: "a", Conn: conn}); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("a second Open = %v, want ErrHeld", err)
	}
	closeIt(t, a)
	closeIt(t, open(t, durable.Config{Name: "a", Conn: conn}))
}

func TestLostLeaseOfAnothersMaking(t *testing.T) {
	var lost atomic.Pointer[error]
	s := open(t, durable.Config{Name: "a", Conn: connect(t, jetStream(t)), Lease: func() error {
		if err := lost.Load(); err != nil {
			return *err
		}
		return nil
	}})
	defer closeIt(t, s)
	say(t, s, 1, 3, "a")
	rs := drain(t, s)
	why := errors.New("the member is fenced")
	lost.Store(&why)
	if err := s.Append(t.Context(), []*spool.Record{record("a", 4)}); !errors.Is(err, durable.ErrHeld) || !errors.Is(err, why) {
		t.Errorf("Append = %v, want ErrHeld and why", err)
	}
	lost.Store(nil)
	if _, err := s.Read(t.Context(), make([]*spool.Record, 1)); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("Read once it was lost = %v, want ErrHeld", err)
	}
	if err := s.Health(); !errors.Is(err, why) {
		t.Errorf("Health = %v, want why", err)
	}
	settle(t, s, rs, "") // what was sent may still be noted
}

func TestNoServerThere(t *testing.T) {
	const nobody = "nats://127.0.0.1:1"
	if _, err := durable.Open(t.Context(), durable.Config{URL: nobody}); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("Open without a server = %v", err)
	}
	if _, err := durable.Connect(nobody); err == nil {
		t.Error("Connect without a server says nothing")
	}
}

// handOver moves a spool from one connection to the other, over and over.
func handOver(t *testing.T, urls [2]string, replicas, rounds int, during func(round int)) {
	conns := [2]*durable.Connection{connect(t, urls[0]), connect(t, urls[1])}
	next := uint64(1)
	for round := range rounds {
		began := time.Now()
		s := open(t, durable.Config{Name: "acme-0", Conn: conns[round%2], Lease: allOurs, Replicas: replicas})
		opened := time.Since(began)
		const all, left = 30, 10
		say(t, s, next+left*uint64(min(round, 1)), next+all-1, "a")
		rs := drain(t, s)
		wantWhole(t, rs, next, next+all-1, "a") // first what the one before has left, and nothing that it has settled
		settle(t, s, rs[:all-left-1], "")
		rejected := rs[all-left-1]
		if err := s.Settle(spool.Settlement{Position: rejected.Position, Rejected: "no", Dead: &spool.DeadLetter{Record: *rejected, Reason: "no"}}); err != nil {
			t.Fatal(err)
		}
		next += all - left
		during(round)
		began = time.Now()
		closeIt(t, s)
		t.Logf("opened in %v, closed in %v", opened.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	}
	s := open(t, durable.Config{Name: "acme-0", Conn: conns[0], Lease: allOurs, Replicas: replicas})
	defer closeIt(t, s)
	if kept := s.DeadLetters().Kept(); kept.Letters != uint64(rounds) {
		t.Errorf("%d dead letters, want %d", kept.Letters, rounds)
	}
	if st := s.Stats(); len(st.Damage) > 0 {
		t.Errorf("damage after hand-overs: %v", st.Damage)
	}
}

// A hand-over repeats nothing: what was settled when it was closed is not read
// again.
func TestHandOverRepeatsNothing(t *testing.T) {
	url := jetStream(t)
	handOver(t, [2]string{url, url}, 1, 5, func(int) {})
}

// The same on three servers, while the leader of a stream goes.
func TestHandOverOnThreeServers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	servers := spooltest.Servers(t, 3)
	url := spooltest.URLs(servers)
	handOver(t, [2]string{url, url}, 3, 6, func(round int) {
		if round != 3 {
			return
		}
		leader := spooltest.Leader(servers, "STENO_SETTLED@acme-0")
		leader.Shutdown()
		leader.WaitForShutdown()
	})
}

// Whoever was relieved without knowing it is refused from the moment on that
// the next one has opened, and what it had appended before that is read.
func TestStaleWriterIsRefused(t *testing.T) {
	url := jetStream(t)
	old := open(t, durable.Config{Name: "a", Conn: connect(t, url), Lease: allOurs})
	say(t, old, 1, 3, "a")
	next := open(t, durable.Config{Name: "a", Conn: connect(t, url), Lease: allOurs})
	if err := old.Append(t.Context(), []*spool.Record{record("a", 4)}); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("the relieved one's Append = %v, want ErrHeld", err)
	}
	say(t, next, 4, 6, "a")
	rs := drain(t, next)
	wantWhole(t, rs, 1, 6, "a")
	settle(t, next, rs, "")
	closeIt(t, next)
	if err := old.Close(); err != nil && !strings.Contains(err.Error(), "note") {
		t.Errorf("Close of the relieved one: %v", err)
	}
	last := open(t, durable.Config{Name: "a", Conn: connect(t, url), Lease: allOurs})
	defer closeIt(t, last)
	if a := last.Account(); a.Pending != 0 {
		t.Errorf("%d are pending: what the next one noted was taken away", a.Pending)
	}
}

// Whoever has lost its right while it opens leaves no frame: the one who has
// the spool by then would take it for its successor's.
func TestWhoMayNotOpenTakesNothingOver(t *testing.T) {
	url := jetStream(t)
	s := open(t, durable.Config{Name: "a", Conn: connect(t, url), Lease: allOurs})
	defer closeIt(t, s)
	why := errors.New("the member is fenced")
	if _, err := durable.Open(t.Context(), durable.Config{Name: "a", Conn: connect(t, url), Lease: func() error { return why }}); !errors.Is(err, durable.ErrHeld) || !errors.Is(err, why) {
		t.Errorf("Open of one that is fenced = %v, want ErrHeld and why", err)
	}
	say(t, s, 1, 3, "a")
	wantWhole(t, drain(t, s), 1, 3, "a")
}

// BenchmarkOpenOnThreeServers is what a take-over of a partition waits for:
//
//	go test ./batcher/spool/durable -run - -bench ThreeServers
func BenchmarkOpenOnThreeServers(b *testing.B) {
	conn := connect(b, spooltest.URLs(spooltest.Servers(b, 3)))
	open := func(name string) *durable.Spool {
		s, err := durable.Open(b.Context(), durable.Config{Name: name, Conn: conn, Lease: allOurs, Replicas: 3})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	made := 0
	b.Run("a new one", func(b *testing.B) {
		for b.Loop() {
			s := open(fmt.Sprint(made))
			made++
			b.StopTimer()
			closeIt(b, s)
			b.StartTimer()
		}
	})
	for _, waiting := range []uint64{0, 10, 1000} {
		name := fmt.Sprint("with ", waiting, " that wait")
		b.Run(name, func(b *testing.B) {
			s := open(fmt.Sprint("with-", waiting))
			say(b, s, 1, waiting, "a")
			closeIt(b, s)
			for b.Loop() {
				s := open(fmt.Sprint("with-", waiting))
				b.StopTimer()
				closeIt(b, s)
				b.StartTimer()
			}
		})
	}
}
