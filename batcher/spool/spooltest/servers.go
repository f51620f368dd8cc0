package spooltest

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Servers starts n JetStream servers of this process on free ports of this
// machine, which sync always; more than one are a cluster with a leader.
func Servers(t testing.TB, n int) []*server.Server {
	t.Helper()
	routes := freeAddresses(t, n)
	var all []*server.Server
	for i := range n {
		o := &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		}
		if n > 1 {
			o.Routes = server.RoutesFromStr("nats://" + strings.Join(routes, ",nats://"))
			host, port := hostPort(t, routes[i])
			o.Cluster = server.ClusterOpts{Name: "steno", Host: host, Port: port}
		}
		all = append(all, begin(t, o))
	}
	for _, s := range all {
		awaitReady(t, s)
	}
	for begun := time.Now(); n > 1 && !anyLeads(all); <-time.After(10 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("the JetStream servers elect no leader")
		}
	}
	return all
}

// Serve starts a server of this process with these options, for as long as the
// test lasts.
func Serve(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s := begin(t, o)
	awaitReady(t, s)
	return s
}

func begin(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	s.Start()
	return s
}

func awaitReady(t testing.TB, s *server.Server) {
	t.Helper()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("a NATS server does not start")
	}
}

// URLs are the addresses of all servers, for a connection that finds another
// one when its own goes.
func URLs(all []*server.Server) string {
	var urls []string
	for _, s := range all {
		urls = append(urls, s.ClientURL())
	}
	return strings.Join(urls, ",")
}

// Leader is the server that leads a stream; nil: none does.
func Leader(all []*server.Server, stream string) *server.Server {
	for _, s := range all {
		if s.Running() && s.JetStreamIsStreamLeader("$G", stream) {
			return s
		}
	}
	return nil
}

// anyLeads says that the cluster has a leader whom all know.
func anyLeads(all []*server.Server) bool {
	for _, s := range all {
		if s.JetStreamIsLeader() {
			return len(s.JetStreamClusterPeers()) == len(all)
		}
	}
	return false
}

func freeAddresses(t testing.TB, n int) (all []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

func hostPort(t testing.TB, address string) (host string, port int) {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return a.IP.String(), a.Port
}
