package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/steno/sfclient/orgsim"
)

// cluster is three NATS servers, three daemons, a Salesforce, a balancer and
// 500 calls.
type cluster struct {
	t       *testing.T
	org     *orgsim.Org
	servers []*natsServer
	daemons []*victim
	crowd   *crowd
	counted map[string]int // repeats that daemons have owned up to, by daemon and life
	lives   map[*victim]int
}

const clusterToken = "of-the-crowd"

// newCluster starts all of it; the balancer is told which daemons there are, and
// says where engines come to.
func newCluster(t *testing.T, dirs [3]string, balance func(*testing.T, []*victim) (address string)) *cluster {
	if testing.Short() {
		t.Skip("runs three NATS servers and three daemons")
	}
	c := &cluster{t: t, counted: map[string]int{}, lives: map[*victim]int{}}
	c.org = orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond, Spread: .5}})
	s := newSite(t)
	address := serveOrg(t, s, c.org)
	c.servers = newNATSServers(t, s, dirs)
	for range 3 {
		c.add(s, address)
	}
	for _, v := range c.daemons {
		v.launch()
	}
	for _, v := range c.daemons {
		v.await("the daemon is ready", v.ready)
	}
	c.crowd = newCrowd(t, "ws://"+balance(t, c.daemons)+"/v1/ingest", clusterToken, 500, 25)
	c.steady()
	return c
}

// serveOrg lets the org be reached from the hosts of a site.
func serveOrg(t *testing.T, s *site, org http.Handler) string {
	l, err := net.Listen("tcp", s.here()+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(org)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return l.Addr().String()
}

// add adds a daemon.
func (c *cluster) add(s *site, org string) {
	h := s.add()
	v := newVictim(c.t, "http://"+org)
	v.host = h
	inner := freeAddress(c.t)
	if h.name != "" {
		carrier := h.command("carry", "127.0.0.1:9000", org)
		if err := carrier.Start(); err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() {
			_ = carrier.Process.Kill()
			_ = carrier.Wait()
		})
		v.doors, v.admin, inner = h.address+":8080", h.address+":8081", h.address+":8082"
		v.env = append(v.env, "STENO_SF_LOGIN_URL=http://127.0.0.1:9000")
	}
	v.env = append(v.env, "STENO_LISTEN="+v.doors, "STENO_ADMIN_LISTEN="+v.admin, "STENO_INGEST_TOKENS="+clusterToken, "STENO_SPOOL_URL="+urls(c.servers),
		"STENO_CLUSTER_LISTEN="+inner, "STENO_CLUSTER_ADDRESS="+inner, "STENO_CLUSTER_KEY=between-us", "STENO_CLUSTER_PARTITIONS=4", fmt.Sprintf("STENO_CLUSTER_NAME=d%d", len(c.daemons)+1))
	c.daemons = append(c.daemons, v)
}

func (v *victim) ready() bool {
	status, _, err := v.get("/readyz")
	return err == nil && status == http.StatusOK
}

// steady waits until what is said is acknowledged within half a second again.
func (c *cluster) steady() {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.crowd.report()
		}
	}()
	c.daemons[0].awaitFor("what is said is acknowledged at once", time.Minute, func() bool {
		c.crowd.mu.Lock()
		defer c.crowd.mu.Unlock()
		for _, since := range c.crowd.waiting {
			if time.Since(since) > 500*time.Millisecond {
				return false
			}
		}
		return len(c.crowd.said) > 0
	})
}

// look notes the repeats that the daemons own up to.
func (c *cluster) look() {
	for i, v := range c.daemons {
		_, body, err := v.get("/metrics")
		if err != nil {
			continue // it is down, and what it knew was noted before
		}
		life := fmt.Sprint(i, "/", c.lives[v])
		c.counted[life] = metricOf(c.t, body, "steno_cluster_recovered_utterances_total")
		if strings.Contains(body, "steno_utterances_ambiguous_total") {
			c.counted[life+"/ambiguous"] = metricOf(c.t, body, "steno_utterances_ambiguous_total")
		}
	}
}

// kill kills a daemon and starts it anew.
func (c *cluster) kill(v *victim) {
	c.look()
	v.kill()
	c.lives[v]++
}

// restart restarts all daemons in a row.
func (c *cluster) restart() {
	for _, v := range c.daemons {
		c.look()
		v.stop()
		c.lives[v]++
		v.start()
	}
}

// leader is the server that leads most of the streams with utterances.
func (c *cluster) leader() *natsServer {
	best, most := c.servers[0], -1
	for _, n := range c.servers {
		if led := n.leads("SPOOL"); led > most {
			best, most = n, led
		}
	}
	return best
}

// pass lets real time pass, while the crowd talks on.
func pass(d time.Duration) { <-time.After(d) }

// event is trouble, and how long it held up acknowledgements.
func (c *cluster) event(name string, trouble func()) {
	c.t.Helper()
	c.crowd.stall()
	trouble()
	pass(time.Second)
	c.steady()
	c.look()
	c.t.Logf("%s: the longest wait for an acknowledgement was %v", name, c.crowd.stall().Round(10*time.Millisecond))
}

// settle ends the calls and compares what was said with what the org has.
func (c *cluster) settle() {
	c.t.Helper()
	c.crowd.finish()
	c.daemons[0].awaitFor("everything is settled", time.Minute, func() bool {
		pending := 0
		for _, v := range c.daemons {
			_, body, err := v.get("/metrics")
			if err != nil {
				return false
			}
			if strings.Contains(body, "steno_utterances_pending") { // it owns a partition
				pending += metricOf(c.t, body, "steno_utterances_pending")
			}
		}
		return pending == 0
	})
	c.look()
	for _, v := range c.daemons {
		v.stop()
	}
	counted := 0
	for _, n := range c.counted {
		counted += n
	}
	cmp := c.org.Ledger().Compare(c.crowd.said)
	c.t.Logf("%d utterances acknowledged, %d stored twice, %d repeats counted", cmp.Wanted, cmp.Duplicated, counted)
	if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > counted {
		c.t.Errorf("%+v; %d repeats were counted", cmp, counted)
	}
}

// TestClusterLosesNothing: 500 calls through a balancer that moves clients
// about, while daemons and servers die, hang, and are cut off one after the
// other.
func TestClusterLosesNothing(t *testing.T) {
	c := newCluster(t, [3]string{t.TempDir(), t.TempDir(), t.TempDir()}, newBalancer)
	pass(3 * time.Second)
	t.Logf("nothing: the longest wait was %v", c.crowd.stall().Round(10*time.Millisecond))
	c.event("a daemon is killed", func() {
		c.kill(c.daemons[0])
		pass(6 * time.Second)
		c.daemons[0].start()
	})
	c.event("a daemon hangs for 8 s", func() {
		c.daemons[1].freeze()
		pass(8 * time.Second)
		if err := c.daemons[1].process.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	})
	if c.daemons[2].host.name == "" {
		t.Log("no daemon is cut off: that takes network namespaces, which are Linux's, root's, and Debian's iproute2 and util-linux")
	} else {
		c.event("a daemon is cut off for 8 s", func() {
			c.daemons[2].host.cut()
			pass(8 * time.Second)
			c.daemons[2].host.join()
		})
	}
	c.event("the server that leads the streams is killed", func() {
		n := c.leader()
		n.kill()
		pass(8 * time.Second)
		n.start()
	})
	c.event("all daemons are restarted in a row", c.restart)
	c.settle()
}

// TestClusterPowerCut: all servers lose power at once, and with it what was not
// synced.
func TestClusterPowerCut(t *testing.T) {
	var dirs [3]string
	var disks [3]*disk
	for i := range disks {
		disks[i] = newDisk(t)
		dirs[i] = disks[i].at
	}
	c := newCluster(t, dirs, newBalancer)
	for range 3 {
		c.event("all servers lose power", func() {
			pass(2 * time.Second)
			for _, n := range c.servers {
				n.freeze() // without power nobody is left to acknowledge what the disk did not do
			}
			for i, n := range c.servers {
				disks[i].shutdown()
				n.kill()
				disks[i].unmount()
				disks[i].mount()
			}
			for _, n := range c.servers {
				n.start()
			}
		})
	}
	c.settle()
}
