package relay_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"

	"example.com/steno/batcher/spool"
	"example.com/steno/bench/memnet"
	"example.com/steno/ingest"
	"example.com/steno/ingest/relay"
)

const key = "of the cluster"

// cluster is a door, and owners of four partitions behind it, on a network in
// memory.
type cluster struct {
	t      *testing.T
	spools [4]*spool.Memory
	door   *relay.Door
	net    *memnet.Listener

	ownersKey string // by which owners know doors

	mu      sync.Mutex // guards what follows
	owners  [4]*owner
	changed chan struct{}
	numbers int // of owners that ever were
}

// owner works on one partition.
type owner struct {
	address string
	net     *memnet.Listener
	server  *ingest.Server
	kill    func()
	asked   []*http.Request // guarded by cluster.mu
}

// run runs a test with a cluster in a bubble.
func run(t *testing.T, cfg relay.Config, test func(*cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, net: memnet.Listen(), ownersKey: key, changed: make(chan struct{})}
		for p := range c.spools {
			c.spools[p] = spool.NewMemory()
			c.own(p)
		}
		cfg.Routes, cfg.Key, cfg.Dial = c, key, c.dial
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		c.door = relay.New(cfg)
		ctx, cancel := context.WithCancel(context.Background())
		server := &http.Server{Handler: c.door.Handler("acme")}
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(c.net) })
		running.Go(func() { _ = c.door.Run(ctx) })
		defer func() {
			drained, enough := context.WithTimeout(ctx, time.Minute)
			if err := c.door.Drain(drained); err != nil {
				t.Errorf("Drain: %v", err)
			}
			enough()
			cancel()
			server.Close()
			running.Wait()
			for p := range c.owners {
				c.lose(p)
			}
			time.Sleep(2 * time.Minute) // idle connections end
		}()
		test(c)
	})
}

// own begins a new owner of a partition.
func (c *cluster) own(p int) *owner {
	c.mu.Lock()
	c.numbers++
	o := &owner{address: fmt.Sprintf("owner-%d:1", c.numbers), net: memnet.Listen()}
	c.mu.Unlock()
	o.server = ingest.New(ingest.Config{Tokens: []string{c.ownersKey}, Relayed: true, Org: "acme"}, c.spools[p], metrics.NewSet(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	inner := o.server.Handler()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		o.asked = append(o.asked, r)
		c.mu.Unlock()
		if r.Header.Get(relay.HeaderPartition) != fmt.Sprint(p) {
			w.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		inner.ServeHTTP(w, r)
	})}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(o.net) })
	running.Go(func() { _ = o.server.Run(ctx) })
	o.kill = sync.OnceFunc(func() {
		now, over := context.WithCancel(context.Background())
		over()
		_ = o.server.Drain(now)
		cancel()
		server.Close()
		running.Wait()
	})
	c.set(p, o)
	return o
}

// lose ends a partition's owner.
func (c *cluster) lose(p int) {
	c.mu.Lock()
	o := c.owners[p]
	c.mu.Unlock()
	if o != nil {
		c.set(p, nil)
		o.kill()
	}
}

func (c *cluster) set(p int, o *owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners[p] = o
	close(c.changed)
	c.changed = make(chan struct{})
}

// swap makes two partitions each other's routes.
func (c *cluster) swap(p, q int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners[p], c.owners[q] = c.owners[q], c.owners[p]
}

func partitionOf(call string) int {
	h := fnv.New32a()
	h.Write([]byte(call))
	return int(h.Sum32() % 4)
}

// callIn is a call of a partition.
func callIn(p, number int) string {
	for i := 0; ; i++ {
		if call := fmt.Sprintf("call-%d-%d", number, i); partitionOf(call) == p {
			return call
		}
	}
}

func (c *cluster) Route(org, call string) (relay.Target, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := partitionOf(call)
	if c.owners[p] == nil {
		return relay.Target{}, false
	}
	return relay.Target{Address: c.owners[p].address, Org: org, Partition: p}, true
}

func (c *cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	var to *memnet.Listener
	for _, o := range c.owners {
		if o != nil && o.address == address {
			to = o.net
		}
	}
	c.mu.Unlock()
	if to == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("nobody is at %s", address)}
	}
	return to.Dial(ctx, network, address)
}

// said is what a partition's spool holds of a call, in order.
func (c *cluster) said(p int) map[string][]string {
	said := map[string][]string{}
	buf := make([]*spool.Record, 100)
	done, over := context.WithCancel(context.Background())
	over()
	for {
		n, _ := c.spools[p].Read(done, buf)
		if n == 0 {
			return said
		}
		for _, r := range buf[:n] {
			if !r.Ended {
				said[r.Call] = append(said[r.Call], r.MessageID)
			}
		}
	}
}

// person is a client by hand.
type person struct {
	t  *testing.T
	ws *websocket.Conn
}

func (c *cluster) dialDoor(path string, headers ...string) *person {
	c.t.Helper()
	p, response, err := c.tryDoor(path, headers...)
	if err != nil {
		c.t.Fatalf("dial %s: %v, %+v", path, err, response)
	}
	return p
}

func (c *cluster) tryDoor(path string, headers ...string) (*person, *http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	dialer := websocket.Dialer{NetDialContext: c.net.Dial}
	ws, response, err := dialer.Dial("ws://steno"+path, h)
	if err != nil {
		return nil, response, err
	}
	c.t.Cleanup(func() { ws.Close() })
	return &person{c.t, ws}, response, nil
}

func (p *person) send(frames ...string) {
	p.t.Helper()
	for _, f := range frames {
		if err := p.ws.WriteMessage(websocket.TextMessage, []byte(f)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// next is the next message, or the close frame as "close CODE".
func (p *person) next() string {
	_ = p.ws.SetReadDeadline(time.Now().Add(time.Minute))
	_, b, err := p.ws.ReadMessage()
	if closed, ok := err.(*websocket.CloseError); ok {
		return fmt.Sprint("close ", closed.Code)
	}
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// post sends a body to the door and returns the status and what was said.
func (c *cluster) post(path, contentType, body string) (response *http.Response, text string) {
	c.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: c.net.Dial, DisableKeepAlives: true}}
	response, err := client.Post("http://steno"+path, contentType, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(said)
}
