package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newHAProxy runs HAProxy in front of daemons, with the file that is deployed.
// Only the addresses in it are others.
func newHAProxy(t *testing.T, daemons []*victim) (address string) {
	address = freeAddress(t)
	conf := readDeployed(t, "cluster/haproxy.cfg")
	replace := func(old, with string) {
		if strings.Count(conf, old) != 1 {
			t.Fatalf("haproxy.cfg has %q %d times, want once", old, strings.Count(conf, old))
		}
		conf = strings.Replace(conf, old, with, 1)
	}
	replace("bind :8080\n", "bind "+address+"\n")
	for i, v := range daemons {
		_, admin, err := net.SplitHostPort(v.admin)
		if err != nil {
			t.Fatal(err)
		}
		replace(fmt.Sprintf("server steno-%d steno-%[1]d:8080\n", i+1), fmt.Sprintf("server steno-%d %s port %s\n", i+1, v.doors, admin))
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("haproxy", "-c", "-q", "-f", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("HAProxy says of its file: %v\n%s", err, out)
	}
	var said lockedBuffer
	proxy := exec.Command("haproxy", "-db", "-f", path)
	proxy.Stdout, proxy.Stderr = &said, &said
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = proxy.Process.Kill()
		_ = proxy.Wait()
		if t.Failed() {
			t.Logf("HAProxy said:\n%s", said.tail())
		}
	})
	return address
}

// TestClusterBehindHAProxy: with the balancer that is deployed connections are
// spread over the daemons, who comes back goes to one that is ready, and a
// restart of all in a row loses nothing.
func TestClusterBehindHAProxy(t *testing.T) {
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skipf("needs HAProxy: %v", err)
	}
	c := newCluster(t, [3]string{t.TempDir(), t.TempDir(), t.TempDir()}, newHAProxy)
	connections := func(v *victim) int { return v.metric("steno_cluster_connections") }
	c.daemons[0].await("each daemon has its part of the connections", func() bool {
		one, two, three := connections(c.daemons[0]), connections(c.daemons[1]), connections(c.daemons[2])
		return one+two+three == 25 && min(one, two, three) >= 5
	})
	c.event("a daemon is stopped, and comes back", func() {
		gone := c.daemons[0]
		c.look()
		gone.stop()
		c.lives[gone]++
		gone.await("every engine is connected to one of the two others", func() bool {
			return connections(c.daemons[1])+connections(c.daemons[2]) == 25
		})
		gone.start()
	})
	c.event("all daemons are restarted in a row", c.restart)
	c.settle()
}
