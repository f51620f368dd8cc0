package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// natsServer is one server of a JetStream cluster, a process of its own.
type natsServer struct {
	t       *testing.T
	host    *host
	name    string
	client  string // port for clients
	route   string // port for the other servers
	monitor string // port for questions
	config  string
	process *exec.Cmd
	output  lockedBuffer
}

// natsBinary builds the server that go.mod names.
var natsBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "steno-nats")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build nats-server: %w: %s", err, out)
	}
	return path, err
})

// newNATSServers starts three of them, on hosts of their own, with their stores
// below dirs.
func newNATSServers(t *testing.T, s *site, dirs [3]string) []*natsServer {
	t.Helper()
	var all []*natsServer
	var routes []string
	for i := range dirs {
		n := &natsServer{t: t, host: s.add(), name: fmt.Sprint("n", i+1), client: "4222", route: "6222", monitor: "8222"}
		if s.bridge == "" {
			n.client, n.route, n.monitor = n.host.port(), n.host.port(), n.host.port()
		}
		all = append(all, n)
		routes = append(routes, "nats://"+n.host.address+":"+n.route)
	}
	for i, n := range all {
		n.config = filepath.Join(t.TempDir(), "nats.conf")
		text := fmt.Sprintf(`server_name: %s
listen: %s:%s
http: %s:%s
jetstream { store_dir: %q, sync_interval: always, max_mem: 16MB, max_file: 4GB }
cluster { name: steno, listen: %s:%s, routes: [%s] }
`, n.name, n.host.address, n.client, n.host.address, n.monitor, filepath.Join(dirs[i], "store"), n.host.address, n.route, strings.Join(routes, ", "))
		if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n.start()
		t.Cleanup(func() {
			n.kill()
			if t.Failed() {
				t.Logf("%s said:\n%s", n.name, n.output.tail())
			}
		})
	}
	return all
}

func (n *natsServer) start() {
	n.t.Helper()
	binary, err := natsBinary()
	if err != nil {
		n.t.Fatal(err)
	}
	n.process = n.host.command(binary, "-c", n.config)
	n.process.Stdout, n.process.Stderr = &n.output, &n.output
	if err := n.process.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *natsServer) kill() {
	if n.process != nil {
		_ = n.process.Process.Kill() // nsenter has become the server
		_ = n.process.Wait()
		n.process = nil
	}
}

// freeze stops the server where it is.
func (n *natsServer) freeze() {
	if err := n.process.Process.Signal(syscall.SIGSTOP); err != nil {
		n.t.Fatal(err)
	}
}

// leads counts the streams that the server leads, of those that match.
func (n *natsServer) leads(match string) int {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get("http://" + n.host.address + ":" + n.monitor + "/jsz?streams=true&raft=true")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	var answer struct {
		Accounts []struct {
			Streams []struct {
				Name    string `json:"name"`
				Cluster struct {
					Leader string `json:"leader"`
				} `json:"cluster"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return 0
	}
	led := 0
	for _, account := range answer.Accounts {
		for _, stream := range account.Streams {
			if strings.Contains(stream.Name, match) && stream.Cluster.Leader == n.name {
				led++
			}
		}
	}
	return led
}

// urls is what a client is told.
func urls(all []*natsServer) string {
	var list []string
	for _, n := range all {
		list = append(list, "nats://"+n.host.address+":"+n.client)
	}
	return strings.Join(list, ",")
}
