package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/steno/ingest/client"
)

// speech is an engine that keeps to the protocol: eight calls, and no end of
// things to say.
type speech struct {
	t      *testing.T
	client *client.Client
	acks   chan struct{} // one for each acknowledgement; never full for long
	enough chan struct{}
	said   map[string][]string
	pad    string // goes behind what is said
}

func newSpeech(t *testing.T, doors string) *speech {
	s := &speech{t: t, acks: make(chan struct{}, 1<<20), enough: make(chan struct{}), said: map[string][]string{}}
	c, err := client.New(client.Config{
		URL: "ws://" + doors + "/v1/ingest", BackoffMin: 5 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
		OnAck:  func(string, uint64) { s.acks <- struct{}{} },
		OnNack: func(n client.Nack) { t.Errorf("nack %+v", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.client = c
	return s
}

// speak says something on each call in turn until it is enough, and returns
// when all of it is acknowledged and the calls have ended.
func (s *speech) speak() error {
	var streams []*client.Stream
	for i := range 8 {
		call := fmt.Sprintf("call-%d", i)
		stream, err := s.client.Open(client.Open{Stream: call, VendorCallKey: call})
		if err != nil {
			return err
		}
		streams = append(streams, stream)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-s.enough:
			for _, stream := range streams {
				if err := stream.Close(s.t.Context(), "end"); err != nil {
					return err
				}
			}
			return s.client.Close(s.t.Context())
		}
		call, now := fmt.Sprintf("call-%d", n%len(streams)), time.Now().UnixMilli()
		id := fmt.Sprintf("%s/%d", call, n)
		u := client.Utterance{MessageID: id, SenderType: "END_USER", StartTime: now, EndTime: now, Content: "word " + strconv.Itoa(n) + s.pad}
		if _, err := streams[n%len(streams)].Send(s.t.Context(), u); err != nil {
			return err
		}
		s.said[call] = append(s.said[call], id)
	}
}

// awaitAcks waits for so many acknowledgements.
func (s *speech) awaitAcks(n int) {
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for range n {
		select {
		case <-s.acks:
		case <-patience.C:
			s.t.Fatal("no acknowledgement for 30 s")
		}
	}
	for len(s.acks) > 0 {
		<-s.acks
	}
}

// victim is the daemon as a process of its own.
type victim struct {
	t            *testing.T
	env          []string
	doors, admin string
	host         *host // nil: this machine
	process      *exec.Cmd
	output       lockedBuffer
}

func newVictim(t *testing.T, org string, vars ...string) *victim {
	v := &victim{t: t, doors: freeAddress(t), admin: freeAddress(t)}
	v.env = append(append(os.Environ(),
		"STENO_SF_LOGIN_URL="+org, "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush", "STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert",
		"STENO_LISTEN="+v.doors, "STENO_ADMIN_LISTEN="+v.admin, "STENO_SPOOL_DIR="+t.TempDir()), vars...)
	t.Cleanup(func() {
		if v.process != nil {
			v.kill()
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", v.output.tail())
		}
	})
	return v
}

// freeAddress is one that nobody listens on at the moment.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the daemon and waits until it is ready.
func (v *victim) start() {
	v.t.Helper()
	v.launch()
	v.await("the daemon is ready", func() bool {
		status, _, err := v.get("/readyz")
		return err == nil && status == http.StatusOK
	})
}

// launch starts the daemon.
func (v *victim) launch() {
	v.t.Helper()
	v.process = exec.Command("steno", "serve")
	if v.host != nil {
		v.process = v.host.command("steno", "serve")
	}
	v.process.Env, v.process.Stdout, v.process.Stderr = v.env, &v.output, &v.output
	if err := v.process.Start(); err != nil {
		v.t.Fatal(err)
	}
}

// run runs another command with the daemon's settings, and returns what it
// prints.
func (v *victim) run(args ...string) string {
	v.t.Helper()
	command := exec.Command("steno", args...)
	command.Env = v.env
	out, err := command.CombinedOutput()
	if err != nil {
		v.t.Errorf("steno %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (v *victim) kill() {
	// The error says that it was killed.
	_ = v.process.Process.Kill()
	_ = v.process.Wait()
	v.process = nil
}

// freeze stops every thread of the daemon where it is. It returns when none of
// them will do anything more outside the kernel.
func (v *victim) freeze() {
	v.t.Helper()
	if err := v.process.Process.Signal(syscall.SIGSTOP); err != nil {
		v.t.Fatal(err)
	}
	v.await("every thread of the daemon stands still", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", v.process.Process.Pid))
		if err != nil || len(threads) == 0 {
			v.t.Fatalf("the daemon's threads: %d found, %v", len(threads), err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			_, state, found := strings.Cut(string(stat), ") ")
			if err == nil && found && state[0] != 'T' && state[0] != 'D' { // D: in the kernel, and stopped when it leaves it
				return false
			}
		}
		return true
	})
}

// traced says whether somebody traces the daemon.
func (v *victim) traced() bool {
	v.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.process.Process.Pid))
	if err != nil {
		v.t.Fatal(err)
	}
	return !strings.Contains(string(status), "TracerPid:\t0\n")
}

// stop ends the daemon as an orchestrator would.
func (v *victim) stop() {
	v.t.Helper()
	err := errors.Join(v.process.Process.Signal(syscall.SIGTERM), v.process.Wait())
	v.process = nil
	if err != nil {
		v.t.Errorf("the daemon ended with %v", err)
	}
}

// await polls, since a process has no other way to tell.
func (v *victim) await(what string, ready func() bool) {
	v.t.Helper()
	v.awaitFor(what, 30*time.Second, ready)
}

func (v *victim) awaitFor(what string, long time.Duration, ready func() bool) {
	v.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(long)
	defer patience.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-patience.C:
			v.t.Fatalf("after %v still not: %s", long, what)
		}
	}
}

func (v *victim) get(path string) (status int, body string, err error) {
	resp, err := http.Get("http://" + v.admin + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// metric is the sum of a metric's lines.
func (v *victim) metric(name string) int {
	v.t.Helper()
	_, body, err := v.get("/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	return metricOf(v.t, body, name)
}

func metricOf(t *testing.T, scrape, name string) int {
	t.Helper()
	sum, found := 0, false
	for line := range strings.Lines(scrape) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if bare, _, _ := strings.Cut(key, "{"); bare != name {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatalf("%s is %s", key, value)
		}
		sum, found = sum+n, true
	}
	if !found {
		t.Fatalf("/metrics has no %s", name)
	}
	return sum
}

// balanced holds the account of one scrape.
func (v *victim) balanced() {
	v.t.Helper()
	_, scrape, err := v.get("/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	of := func(what string) int { return metricOf(v.t, scrape, "steno_utterances_"+what) }
	accepted, delivered, rejected, pending := of("accepted_total"), of("delivered_total"), of("rejected_total"), of("pending")
	if accepted != delivered+rejected+pending {
		v.t.Errorf("accepted %d ≠ delivered %d + rejected %d + pending %d", accepted, delivered, rejected, pending)
	}
}

// lockedBuffer keeps what a process prints.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// tail is the last of it.
func (l *lockedBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-8000):])
}
