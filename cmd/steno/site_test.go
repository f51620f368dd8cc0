package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// site is a network of hosts: a namespace each on one bridge, where the kernel
// grants that, else ports of this machine's loopback.
type site struct {
	t      *testing.T
	bridge string // empty: loopback
	subnet string // the first three bytes of an address
	hosts  int
}

// host is where a process runs.
type host struct {
	site    *site
	name    string // of its namespace; empty: this machine
	link    string // its end on the bridge
	address string
}

func newSite(t *testing.T) *site {
	s := &site{t: t, bridge: fmt.Sprintf("steno%d", os.Getpid()%10000), subnet: fmt.Sprintf("10.77.%d.", os.Getpid()%250)}
	_, err := exec.LookPath("nsenter")
	if err == nil {
		err = s.ip("link add " + s.bridge + " type bridge")
	}
	if err == nil {
		t.Cleanup(func() { _ = s.ip("link del " + s.bridge) })
		err = s.each("addr add "+s.subnet+"1/24 dev "+s.bridge, "link set "+s.bridge+" up")
	}
	if err != nil {
		t.Logf("no network namespaces, so all hosts are this one: %v", err)
		s.bridge = ""
	}
	return s
}

func (s *site) ip(command string) error {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", command, err, out)
	}
	return nil
}

func (s *site) each(commands ...string) error {
	for _, c := range commands {
		if err := s.ip(c); err != nil {
			return err
		}
	}
	return nil
}

// add adds a host.
func (s *site) add() *host {
	s.t.Helper()
	s.hosts++
	if s.bridge == "" {
		return &host{site: s, address: "127.0.0.1"}
	}
	h := &host{
		site: s, name: fmt.Sprintf("%s-%d", s.bridge, s.hosts), link: fmt.Sprintf("%sv%d", s.bridge, s.hosts),
		address: fmt.Sprint(s.subnet, 10+s.hosts),
	}
	if err := s.ip("netns add " + h.name); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.ip("netns del " + h.name) })
	err := s.each("link add "+h.link+" type veth peer name eth0 netns "+h.name, "link set "+h.link+" master "+s.bridge+" up",
		"-n "+h.name+" addr add "+h.address+"/24 dev eth0", "-n "+h.name+" link set eth0 up", "-n "+h.name+" link set lo up")
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// here is this machine's address on the site.
func (s *site) here() string {
	if s.bridge == "" {
		return "127.0.0.1"
	}
	return s.subnet + "1"
}

// command is one that runs on the host.
func (h *host) command(name string, args ...string) *exec.Cmd {
	if h.name == "" {
		return exec.Command(name, args...)
	}
	// Not ip netns exec: that has mounts of its own, which would keep a disk that lost power in use.
	return exec.Command("nsenter", append([]string{"--net=/var/run/netns/" + h.name, name}, args...)...)
}

// cut takes the host off the network. It returns false where hosts cannot be.
func (h *host) cut() bool {
	if h.name == "" {
		return false
	}
	if err := h.site.ip("link set " + h.link + " down"); err != nil {
		h.site.t.Fatal(err)
	}
	return true
}

// join brings it back.
func (h *host) join() {
	if err := h.site.ip("link set " + h.link + " up"); err != nil {
		h.site.t.Fatal(err)
	}
}

// port is a free one of the host's.
func (h *host) port() string {
	if h.name != "" {
		return "7000"
	}
	_, port, err := net.SplitHostPort(freeAddress(h.site.t))
	if err != nil {
		h.site.t.Fatal(err)
	}
	return port
}

// carry is a program of its own: `carry FROM TO` passes on what connects to one
// address to the other. Salesforce without TLS is only let in on loopback, and
// each namespace has one of its own.
func carry() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go carryOne(from)
	}
}

func carryOne(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", os.Args[2])
	if err != nil {
		return
	}
	defer to.Close()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[1], pair[0])
			_ = pair[1].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}
