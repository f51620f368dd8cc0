package ingest

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"
)

// What a call costs that is connected, has spoken once, and is silent: stack
// and heap, with what Go holds for the two ends of its socket.
//
// go test -run '^$' -bench IdleCall -benchtime 2000x ./ingest
func BenchmarkIdleCall(b *testing.B) {
	server := New(Config{}, spool.NewMemory(), metrics.NewSet(), slog.New(slog.DiscardHandler))
	go func() { _ = server.Run(b.Context()) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	httpServer := &http.Server{Handler: server.Handler()}
	go func() { _ = httpServer.Serve(listener) }()
	defer httpServer.Close()
	sockets := make([]net.Conn, 0, b.N+1)
	defer func() {
		for _, socket := range sockets {
			socket.Close()
		}
	}()
	sockets = append(sockets, idleCall(b, listener.Addr(), 0))
	heap, stack := inUse()
	for i := range b.N {
		sockets = append(sockets, idleCall(b, listener.Addr(), i+1))
	}
	heapAfter, stackAfter := inUse()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(heapAfter-heap)/float64(b.N), "heap-B/call")
	b.ReportMetric(float64(stackAfter-stack)/float64(b.N), "stack-B/call")
	runtime.KeepAlive(server)
}

// inUse is the memory of what lives. The second collection frees what pools
// keep over the first one.
func inUse() (heap, stack uint64) {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse, m.StackInuse
}

// idleCall connects, opens a stream, and says something on it. Of the client
// only the socket is left.
func idleCall(b *testing.B, door net.Addr, n int) net.Conn {
	dialer := websocket.Dialer{ReadBufferSize: 256, WriteBufferSize: 256}
	ws, _, err := dialer.Dial("ws://"+door.String()+"/v1/ingest", nil)
	if err != nil {
		b.Fatal(err)
	}
	open := fmt.Sprintf(`{"type":"open","stream":"leg-1","vendorCallKey":"call-%d","channels":{"1":{"participantId":"005xx000001Sv6A","senderType":"HUMAN_AGENT"}}}`, n)
	for _, frame := range []string{open, fmt.Sprintf(benchUtterance, 1)} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			b.Fatal(err)
		}
		if _, _, err := ws.ReadMessage(); err != nil {
			b.Fatal(err)
		}
	}
	return ws.NetConn()
}

// What a remembered message id costs: 700 calls speak twice a second for the
// five minutes that it is remembered.
//
// go test -run '^$' -bench Remember -benchtime 420000x ./ingest
func BenchmarkRemember(b *testing.B) {
	g := newRegistry()
	now := time.Unix(1573503300, 0)
	calls := make([]*call, 700)
	for i := range calls {
		calls[i] = g.call(callKeyOf{key: fmt.Sprint("call-", i)})
	}
	heap, _ := inUse()
	b.ReportAllocs()
	for i := range b.N {
		p, _ := g.remember(calls[i%len(calls)], g.hasher.hash(fmt.Sprint(i)), 1, now.Add(time.Duration(i)))
		g.keep(p, 1)
	}
	b.StopTimer()
	after, _ := inUse()
	b.ReportMetric(float64(after-heap)/float64(b.N), "heap-B/id")
	runtime.KeepAlive(g)
}
