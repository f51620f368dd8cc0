package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/ingest/client"
)

// balancer passes connections on to daemons, each to one by chance, and moves
// them about: every now and then it cuts one, whose client comes back to
// another daemon.
type balancer struct {
	t        *testing.T
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	doors []string
	conns map[net.Conn]struct{}
}

func newBalancer(t *testing.T, daemons []*victim) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{t: t, listener: l, conns: map[net.Conn]struct{}{}}
	for _, v := range daemons {
		b.doors = append(b.doors, v.doors)
	}
	stop := make(chan struct{})
	b.running.Go(b.accept)
	b.running.Go(func() { b.move(stop) })
	t.Cleanup(func() {
		close(stop)
		l.Close()
		b.mu.Lock()
		for c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
		b.running.Wait()
	})
	return l.Addr().String()
}

func (b *balancer) accept() {
	for {
		from, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.running.Go(func() { b.carry(from) })
	}
}

func (b *balancer) carry(from net.Conn) {
	defer from.Close()
	to, err := net.DialTimeout("tcp", b.doors[rand.IntN(len(b.doors))], time.Second)
	if err != nil {
		return
	}
	defer to.Close()
	b.mu.Lock()
	b.conns[from] = struct{}{}
	b.mu.Unlock()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[1], pair[0])
			from.Close()
			to.Close()
		})
	}
	both.Wait()
	b.mu.Lock()
	delete(b.conns, from)
	b.mu.Unlock()
}

// move cuts a connection now and then until stop is closed.
func (b *balancer) move(stop <-chan struct{}) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.mu.Lock()
			for c := range b.conns { // some one
				c.Close()
				break
			}
			b.mu.Unlock()
		case <-stop:
			return
		}
	}
}

// crowd is engines of many calls, on several connections, that have something
// to say all the time.
type crowd struct {
	t       *testing.T
	clients []*client.Client
	enough  chan struct{}
	talking errgroup.Group

	mu      sync.Mutex // guards what follows
	said    map[string][]string
	waiting map[string]time.Time // what is not acknowledged, since when, by stream and seq
	worst   time.Duration        // of those that were, since the last look
}

func key(stream string, seq uint64) string { return fmt.Sprint(stream, "/", seq) }

// newCrowd opens so many calls on so many connections.
func newCrowd(t *testing.T, url, token string, calls, connections int) *crowd {
	c := &crowd{t: t, enough: make(chan struct{}), said: map[string][]string{}, waiting: map[string]time.Time{}}
	for n := range connections {
		var acked sync.Map // by stream: the seq up to which it is
		one, err := client.New(client.Config{
			URL: url, Token: token, BackoffMin: 20 * time.Millisecond, BackoffMax: 500 * time.Millisecond,
			OnAck: func(stream string, seq uint64) {
				from, _ := acked.Swap(stream, seq)
				first, _ := from.(uint64)
				c.acked(stream, first+1, seq)
			},
			OnNack: func(n client.Nack) { t.Errorf("nack %+v", n) },
		})
		if err != nil {
			t.Fatal(err)
		}
		c.clients = append(c.clients, one)
		c.talking.Go(func() error {
			err := one.Run(t.Context())
			if err != nil && t.Context().Err() == nil {
				t.Errorf("connection %d has ended: %v", n, err)
			}
			return err
		})
		c.talking.Go(func() error { return c.talk(one, n, calls/connections) })
	}
	return c
}

func (c *crowd) acked(stream string, from, to uint64) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for seq := from; seq <= to; seq++ {
		if since, ok := c.waiting[key(stream, seq)]; ok {
			c.worst = max(c.worst, now.Sub(since))
			delete(c.waiting, key(stream, seq))
		}
	}
}

// talk says something on each of a connection's calls in turn.
func (c *crowd) talk(one *client.Client, number, calls int) error {
	var streams []*client.Stream
	for i := range calls {
		call := fmt.Sprintf("call-%d-%d", number, i)
		s, err := one.Open(client.Open{Stream: call, VendorCallKey: call})
		if err != nil {
			return err
		}
		streams = append(streams, s)
	}
	tick := time.NewTicker(4 * time.Second / time.Duration(calls)) // each call speaks every four seconds
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-c.enough:
			for _, s := range streams {
				if err := s.Close(c.t.Context(), "end"); err != nil {
					return err
				}
			}
			return one.Close(c.t.Context())
		}
		call, now := fmt.Sprintf("call-%d-%d", number, n%calls), time.Now()
		id := fmt.Sprintf("%s/%d", call, n)
		c.mu.Lock()
		c.waiting[key(call, uint64(n/calls+1))] = now
		c.said[call] = append(c.said[call], id)
		c.mu.Unlock()
		u := client.Utterance{MessageID: id, SenderType: "END_USER", StartTime: now.UnixMilli(), EndTime: now.UnixMilli(), Content: fmt.Sprint("word ", n)}
		if _, err := streams[n%calls].Send(c.t.Context(), u); err != nil {
			return err
		}
	}
}

// stall is the longest that an utterance waited for its acknowledgement since
// the last look, those that still wait included.
func (c *crowd) stall() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	worst := c.worst
	for _, since := range c.waiting {
		worst = max(worst, time.Since(since))
	}
	c.worst = 0
	return worst
}

// finish has everybody end their calls, and returns when all is acknowledged.
func (c *crowd) finish() {
	c.t.Helper()
	close(c.enough)
	if err := c.talking.Wait(); err != nil {
		c.t.Fatal(err)
	}
}

// report tells which calls wait, and for how long.
func (c *crowd) report() {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := map[string]time.Time{}
	for of, since := range c.waiting {
		stream, _, _ := strings.Cut(of, "/")
		if first, ok := waits[stream]; !ok || since.Before(first) {
			waits[stream] = since
		}
	}
	for stream, since := range waits {
		c.t.Logf("%s waits for %v", stream, time.Since(since).Round(time.Millisecond))
	}
	for i, one := range c.clients {
		c.t.Logf("client %d: %+v", i, one.Stats())
	}
}
