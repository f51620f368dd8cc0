package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.com/steno/batcher/spool/spooltest"
)

// openBucket is a bucket over a connection of its own.
func openBucket(t *testing.T, servers []*server.Server, replicas int) *Bucket {
	t.Helper()
	conn, err := nats.Connect(spooltest.URLs(servers), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		b, err := OpenBucket(ctx, conn, replicas)
		if err == nil {
			return b
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// TestBucketIsAStore holds JetStream to what the memory of the other tests
// does.
func TestBucketIsAStore(t *testing.T) {
	t.Run("memory", func(t *testing.T) { isAStore(t, newCable(newMemory(), 1)) })
	t.Run("jetstream", func(t *testing.T) { isAStore(t, openBucket(t, spooltest.Servers(t, 1), 1)) })
}

func isAStore(t *testing.T, s store) {
	ctx := t.Context()
	key := ownerKey(Partition{"acme", 1})
	wantTaken := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, errTaken) {
			t.Errorf("%s = %v, want errTaken", what, err)
		}
	}
	must := func(revision uint64, err error) uint64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return revision
	}
	if _, err := s.get(ctx, key); !errors.Is(err, errNoKey) {
		t.Errorf("get of no key = %v", err)
	}
	first := must(s.put(ctx, key, []byte("1"), 0))
	_, err := s.put(ctx, key, []byte("x"), 0)
	wantTaken("a second create", err)
	second := must(s.put(ctx, key, []byte("2"), first))
	_, err = s.put(ctx, key, []byte("x"), first)
	wantTaken("an update of an old revision", err)
	wantTaken("a remove of an old revision", s.remove(ctx, key, first))
	if e, err := s.get(ctx, key); err != nil || string(e.value) != "2" || e.revision != second {
		t.Errorf("get = %+v, %v", e, err)
	}
	other := must(s.put(ctx, memberKey("ü"), []byte("m"), 0))
	must(0, s.remove(ctx, key, second))
	if _, err := s.get(ctx, key); !errors.Is(err, errNoKey) {
		t.Errorf("get of what is removed = %v", err)
	}
	third := must(s.put(ctx, key, []byte("3"), 0))
	if other <= second || third <= other {
		t.Errorf("revisions %d, %d, %d: not one order for all keys", second, other, third)
	}
	watching, stop := context.WithCancel(ctx)
	var got []string
	err = s.watch(watching, func(e entry) {
		switch got = append(got, fmt.Sprintf("%s %s %v", e.key, e.value, e.deleted)); len(got) {
		case 3:
			must(0, s.remove(ctx, key, third))
		case 4:
			stop()
		}
	})
	want := []string{memberKey("ü") + " m false", key + " 3 false", "  false", key + "  true"}
	if !slices.Equal(got, want) || err == nil {
		t.Errorf("watched %q, %v, want %q", got, err, want)
	}
}

func TestKeepAndShare(t *testing.T) {
	b := openBucket(t, spooltest.Servers(t, 1), 1)
	if kept, err := b.Kept(t.Context(), "acme"); kept != nil || err != nil {
		t.Errorf("kept %q, %v before anything was", kept, err)
	}
	for _, value := range []string{"one", "two"} {
		if err := b.Keep(t.Context(), "acme", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := b.Kept(t.Context(), "acme"); string(kept) != "two" || err != nil {
		t.Errorf("kept %q, %v", kept, err)
	}
	share := NewShare(b)
	heard := make(chan string, 10)
	stop, err := share.Hear(Partition{"acme", 1}, func(from Partition, data []byte) { heard <- fmt.Sprintf("%v %s", from, data) })
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Partition{{"globex", 0}, {"acme", 1}, {"acme", 2}} {
		if err := share.Tell(p, []byte("sum")); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-heard; got != "acme/2 sum" {
		t.Errorf("heard %q first, want only what siblings tell", got)
	}
	stop()
}

// idle is a Host that does nothing, quickly.
type idle struct {
	mu   sync.Mutex
	open map[Partition]bool
}

func (h *idle) Open(_ context.Context, p Partition, _ bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[p] = true
	return nil
}

func (h *idle) Close(_ context.Context, p Partition, _ bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, p)
	return nil
}

// member of a real cluster.
type real struct {
	*Cluster
	leave, kill context.CancelFunc
	done        chan error
}

func join(t *testing.T, id string, b *Bucket, orgs map[string]int) *real {
	t.Helper()
	c := New(Config{ID: id, Address: id, Version: "v1", Orgs: orgs, Host: &idle{open: map[Partition]bool{}}, Log: slog.New(slog.DiscardHandler)}, b)
	stay, leave := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	r := &real{c, leave, kill, make(chan error, 1)}
	go func() { r.done <- c.Run(stay, hard) }()
	t.Cleanup(func() {
		kill()
		<-r.done
	})
	return r
}

// eventually waits for f and returns how long it took.
func eventually(t *testing.T, what string, f func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !f() {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%s: not after 30 s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
	return time.Since(begun).Round(time.Millisecond)
}

// shared says that the partitions lie evenly over the members, and each is one's.
func shared(orgs map[string]int, members ...*real) func() bool {
	return func() bool {
		total, held := 0, make([]int, len(members))
		for org, n := range orgs {
			for number := range n {
				total++
				for i, m := range members {
					if m.Holds(Partition{org, number}) == nil {
						held[i]++
					}
				}
			}
		}
		sum := 0
		for _, n := range held {
			sum += n
		}
		return sum == total && slices.Max(held)-slices.Min(held) <= 1
	}
}

// TestThreeServers is the logic on a real cluster: a member dies, one leaves,
// and the leader of the bucket's stream is shut down.
func TestThreeServers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some ten seconds")
	}
	servers := spooltest.Servers(t, 3)
	orgs := map[string]int{"acme": 4, "globex": 4, "initech": 4}
	a := join(t, "a", openBucket(t, servers, 3), orgs)
	b := join(t, "b", openBucket(t, servers, 3), orgs)
	c := join(t, "c", openBucket(t, servers, 3), orgs)
	t.Logf("three members share out: %v", eventually(t, "three members share out", shared(orgs, a, b, c)))
	a.leave()
	t.Logf("one has left: %v", eventually(t, "one leaves", shared(orgs, b, c)))
	if err := <-a.done; err != nil {
		t.Errorf("leaving: %v", err)
	}
	a.done <- nil
	b.kill()
	t.Logf("one was killed: %v", eventually(t, "one is killed", shared(orgs, c)))
	eventually(t, "its entry is taken away", func() bool { return len(c.Status().Members) == 1 })
	d := join(t, "d", openBucket(t, servers, 3), orgs)
	t.Logf("another has come: %v", eventually(t, "one comes", shared(orgs, c, d)))
	leader := spooltest.Leader(servers, "KV_"+bucketName)
	leader.Shutdown()
	leader.WaitForShutdown()
	t.Logf("the leader of the bucket is gone: %v", eventually(t, "the leader goes", shared(orgs, c, d)))
	eventually(t, "both know it", func() bool {
		return c.Fenced() == nil && d.Fenced() == nil && spooltest.Leader(servers, "KV_"+bucketName) != nil
	})
}
