package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
)

// told writes down what a Watch is told.
type told []string

func (t *told) watch() ingest.Watch {
	add := func(format string, args ...any) { *t = append(*t, fmt.Sprintf(format, args...)) }
	return ingest.Watch{
		Connected: func(c ingest.Connection) { add("connected %d %s %s", c.ID, c.Dialect, c.Remote) },
		Gone:      func(id uint64) { add("gone %d", id) },
		Opened:    func(o ingest.Opened) { add("opened %d %s %s", o.Connection, o.Stream.ID, o.Call) },
		Released:  func(id spool.StreamID, ended bool) { add("released %s %v", id.ID, ended) },
	}
}

func (t *told) want(test *testing.T, want ...string) {
	test.Helper()
	if got := strings.Join(*t, "\n"); got != strings.Join(want, "\n") {
		test.Errorf("the watch was told\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestWatchHearsOfConnectionsAndStreams(t *testing.T) {
	var told told
	run(t, ingest.Config{Watch: told.watch()}, func(r *rig) {
		c := r.dial()
		c.send(open("leg", "second", `"parentCallKey":"first"`))
		c.expect(opened("leg", 0))
		if connections, calls := r.server.Active(); connections != 1 || calls != 1 {
			t.Errorf("Active() = %d, %d, want 1 connection and 1 call", connections, calls)
		}
		c.send(`{"type":"close","stream":"leg","reason":"end"}`)
		c.expect(closed("leg", 0))
		c.bye(1000)
		if connections, calls := r.server.Active(); connections != 0 || calls != 0 {
			t.Errorf("Active() = %d, %d after the end, want none", connections, calls)
		}
	})
	told.want(t, "connected 1 steno.v1 127.0.0.1:1", "opened 1 leg first", "released leg true", "gone 1")
}

// An engine's stream is open as soon as its connection is there, and the watch
// hears of the two in this order.
func TestWatchHearsOfEngines(t *testing.T) {
	var told told
	run(t, ingest.Config{Watch: told.watch()}, func(r *rig) {
		c, _, err := r.tryDial("/v1/ingest/vosk?call=a&channel=END_USER")
		if err != nil {
			t.Fatal(err)
		}
		c.bye(1000)
	})
	told.want(t, "connected 1 vosk 127.0.0.1:1", "opened 1 vosk/END_USER a", "released vosk/END_USER true", "gone 1")
}
