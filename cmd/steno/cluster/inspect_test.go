package cluster

import (
	"testing"
	"time"

	"example.com/steno/batcher/spool/spooltest"
)

// Whoever inspects sees what there is, and makes nothing.
func TestInspect(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	servers := spooltest.Servers(t, 3)
	look := func(want Standing) {
		t.Helper()
		var got Standing
		for begun := time.Now(); time.Since(begun) < 30*time.Second; <-time.After(100 * time.Millisecond) {
			s, err := Inspect(t.Context(), servers[0].ClientURL())
			if got = s; err == nil && got == want {
				return
			}
		}
		t.Errorf("seen %+v, want %+v", got, want)
	}
	look(Standing{Servers: 3, Server: "n0"})
	look(Standing{Servers: 3, Server: "n0"})
	openBucket(t, servers, 3)
	look(Standing{Servers: 3, Server: "n0", Made: true, Replicas: 3})
	servers[2].Shutdown()
	servers[2].WaitForShutdown()
	look(Standing{Servers: 2, Server: "n0", Made: true, Replicas: 3, Behind: 1})
	if _, err := Inspect(t.Context(), "nats://127.0.0.1:1"); err == nil {
		t.Error("no error where there is no server")
	}
}
