package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/bench/memnet"
	"example.com/steno/ingest"
	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"
)

// rig is a server on a network in memory, inside a bubble.
type rig struct {
	t      *testing.T
	server *ingest.Server
	spool  spool.Spool
	set    *metrics.Set
	net    *memnet.Listener
	stop   func() // ends the server as a kill would: no drain
}

// run runs a test in a bubble, on a server with a spool in memory. When the
// test ends, so does everything else, or the bubble panics: every test is a
// leak test.
func run(t *testing.T, cfg ingest.Config, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(start(t, cfg, spool.NewMemory())) })
}

// runSlow is run on a spool whose appends wait for the test.
func runSlow(t *testing.T, cfg ingest.Config, test func(*rig, *gateSpool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGateSpool()
		test(start(t, cfg, g), g)
	})
}

func start(t *testing.T, cfg ingest.Config, s spool.Spool) *rig {
	t.Helper()
	r := &rig{t: t, spool: s, set: metrics.NewSet(), net: memnet.Listen()}
	r.server = ingest.New(cfg, s, r.set, slog.New(slog.NewTextHandler(io.Discard, nil)))
	httpServer := &http.Server{Handler: r.server.Handler()}
	ctx, cancel := context.WithCancel(context.Background())
	var goroutines sync.WaitGroup
	goroutines.Go(func() { _ = httpServer.Serve(r.net) })
	goroutines.Go(func() {
		if err := r.server.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	r.stop = sync.OnceFunc(func() {
		done, over := context.WithCancel(context.Background())
		over()
		_ = r.server.Drain(done)
		cancel()
		httpServer.Close()
		goroutines.Wait()
		time.Sleep(time.Minute) // of the bubble: what still closes has closed
	})
	t.Cleanup(r.stop)
	synctest.Wait()
	return r
}

// client is a WebSocket client that reads all the time.
type client struct {
	t    *testing.T
	ws   *websocket.Conn
	mu   sync.Mutex
	got  [][]byte
	end  error         // why reading ended
	news chan struct{} // size 1
}

// dial connects a client. Headers come in pairs.
func (r *rig) dial(headers ...string) *client {
	r.t.Helper()
	c, response, err := r.tryDial("/v1/ingest", headers...)
	if err != nil {
		r.t.Fatalf("dial: %v, %+v", err, response)
	}
	return c
}

func (r *rig) tryDial(path string, headers ...string) (*client, *http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	dialer := websocket.Dialer{NetDialContext: r.net.Dial}
	ws, response, err := dialer.Dial("ws://steno"+path, h)
	if err != nil {
		return nil, response, err
	}
	c := &client{t: r.t, ws: ws, news: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	reading.Go(c.read)
	r.t.Cleanup(func() { ws.Close(); reading.Wait() })
	return c, response, nil
}

func (c *client) read() {
	for {
		_, b, err := c.ws.ReadMessage()
		c.mu.Lock()
		c.got, c.end = append(c.got, b), err
		c.mu.Unlock()
		select {
		case c.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// send sends messages, each in its own text frame.
func (c *client) send(messages ...string) {
	c.t.Helper()
	for _, m := range messages {
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			c.t.Fatalf("send %.100s: %v", m, err)
		}
	}
}

// next waits for a message; nil when the connection has ended.
func (c *client) next() []byte {
	c.t.Helper()
	late := time.NewTimer(time.Hour)
	defer late.Stop()
	for {
		c.mu.Lock()
		if len(c.got) > 0 {
			b := c.got[0]
			if b != nil {
				c.got = c.got[1:]
			}
			c.mu.Unlock()
			return b
		}
		c.mu.Unlock()
		select {
		case <-c.news:
		case <-late.C:
			c.t.Fatal("no message for an hour")
		}
	}
}

// expect waits for as many messages as it is given, and checks that each has
// at least the fields wanted of it.
func (c *client) expect(wants ...string) {
	c.t.Helper()
	for _, want := range wants {
		got := c.next()
		if got == nil {
			c.t.Fatalf("the connection ended (%v), want %s", c.end, want)
		}
		if !covers(c.t, got, want) {
			c.t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// acked waits for acks of a stream until everything up to seq is. How many
// acks that takes depends on how the turns fell.
func (c *client) acked(stream string, seq int) {
	c.t.Helper()
	for last := -1; last < seq; {
		var m struct {
			Type, Stream string
			Seq          int
		}
		b := c.next()
		if err := json.Unmarshal(b, &m); err != nil || m.Type != "ack" || m.Stream != stream || m.Seq <= last || m.Seq > seq {
			c.t.Fatalf("got %s, want acks of %s from %d up to %d", b, stream, last+1, seq)
		}
		last = m.Seq
	}
}

// covers reports whether the object got has all fields of want.
func covers(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var g, w map[string]any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the test wants %s: %v", want, err)
	}
	for k, v := range w {
		if !reflect.DeepEqual(g[k], v) {
			return false
		}
	}
	return true
}

// quiet checks that nothing has come.
func (c *client) quiet() {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.got) > 0 {
		c.t.Fatalf("got %s (%v), want nothing", c.got[0], c.end)
	}
}

// expectClose checks that nothing comes before the end of the connection, and
// that its close code is right.
func (c *client) expectClose(code int) {
	c.t.Helper()
	if got := c.next(); got != nil {
		c.t.Fatalf("got %s, want close %d", got, code)
	}
	closed, ok := errors.AsType[*websocket.CloseError](c.end)
	if !ok || closed.Code != code {
		c.t.Fatalf("the connection ended with %v, want close %d", c.end, code)
	}
}

// open is an `open` of stream for call, with more fields.
func open(stream, call string, more ...string) string {
	return fmt.Sprintf(`{"type":"open","stream":%q,"vendorCallKey":%q%s}`, stream, call, fields(more))
}

// say is an utterance of the caller, with more fields.
func say(stream string, seq int, more ...string) string {
	return fmt.Sprintf(`{"type":"utterance","stream":%q,"seq":%d,"senderType":"END_USER","startTime":1573503300000,"endTime":1573503300900,"content":"Hello %d"%s}`,
		stream, seq, seq, fields(more))
}

func fields(more []string) string {
	if len(more) == 0 {
		return ""
	}
	return "," + strings.Join(more, ",")
}

func ack(stream string, seq int) string {
	return fmt.Sprintf(`{"type":"ack","stream":%q,"seq":%d}`, stream, seq)
}

func opened(stream string, acked int) string {
	return fmt.Sprintf(`{"type":"opened","stream":%q,"acked":%d}`, stream, acked)
}

func closed(stream string, acked int) string {
	return fmt.Sprintf(`{"type":"closed","stream":%q,"acked":%d}`, stream, acked)
}

func nack(stream string, seq int, code string) string {
	return fmt.Sprintf(`{"type":"nack","stream":%q,"seq":%d,"code":%q}`, stream, seq, code)
}

// epoch waits for an `opened` and returns its epoch.
func (c *client) epoch() string {
	c.t.Helper()
	var m struct{ Type, Epoch string }
	if err := json.Unmarshal(c.next(), &m); err != nil || m.Type != "opened" {
		c.t.Fatalf("got %+v, %v, want opened", m, err)
	}
	return m.Epoch
}

// stored reads what is in the spool and was not read before.
func (r *rig) stored() []*spool.Record {
	r.t.Helper()
	synctest.Wait()
	done, cancel := context.WithCancel(context.Background())
	cancel()
	var all []*spool.Record
	buf := make([]*spool.Record, 64)
	for {
		n, err := r.spool.Read(done, buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return all
		}
	}
}

// seqs is what is stored, as text: "leg-1/1 leg-1/2 end:call".
func (r *rig) seqs() string {
	r.t.Helper()
	var words []string
	for _, rec := range r.stored() {
		if rec.Ended {
			words = append(words, "end:"+rec.Call)
			continue
		}
		words = append(words, fmt.Sprintf("%s/%d", rec.Stream.ID, rec.Seq))
	}
	return strings.Join(words, " ")
}

func (r *rig) wantStored(want string) {
	r.t.Helper()
	if got := r.seqs(); got != want {
		r.t.Errorf("stored %q, want %q", got, want)
	}
}

// metric returns one line of /metrics.
func (r *rig) metric(name string) string {
	var b bytes.Buffer
	r.set.WritePrometheus(&b)
	for line := range strings.Lines(b.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}

func (r *rig) wantMetric(name, want string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.metric(name); got != want {
		r.t.Errorf("%s is %s, want %s", name, got, want)
	}
}

// gateSpool is a spool whose appends wait to be let through.
type gateSpool struct {
	*spool.Memory
	asked chan []*spool.Record // an append has come
	allow chan error           // let it through, or fail it with an error
}

func newGateSpool() *gateSpool {
	return &gateSpool{Memory: spool.NewMemory(), asked: make(chan []*spool.Record), allow: make(chan error)}
}

func (g *gateSpool) Append(ctx context.Context, group []*spool.Record) error {
	select {
	case g.asked <- group:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-g.allow:
		if err != nil {
			return err
		}
		return g.Memory.Append(ctx, group)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pass lets one append through and returns how many records it had.
func (g *gateSpool) pass() int {
	group := <-g.asked
	g.allow <- nil
	return len(group)
}

// collect lets appends through until none comes, and returns what they had.
func (g *gateSpool) collect() []*spool.Record {
	var all []*spool.Record
	for {
		synctest.Wait()
		select {
		case group := <-g.asked:
			all = append(all, group...)
			g.allow <- nil
		default:
			return all
		}
	}
}

// errDisk is what a spool says that cannot write.
var errDisk = errors.New("no space left on device")

// markSpool is a spool that remembers streams from before, and what it was
// told to forget.
type markSpool struct {
	*spool.Memory
	marks  []spool.StreamMark
	recent []spool.Sighting

	mu        sync.Mutex
	forgotten map[spool.StreamID]int
}

func (m *markSpool) Recover(context.Context) (spool.Recovery, error) {
	return spool.Recovery{Streams: m.marks, Recent: m.recent}, nil
}

func (m *markSpool) Forget(id spool.StreamID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forgotten == nil {
		m.forgotten = map[spool.StreamID]int{}
	}
	m.forgotten[id]++
	return nil
}

func (m *markSpool) forgot() map[spool.StreamID]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.forgotten)
}
