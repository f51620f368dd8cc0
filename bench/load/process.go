package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is the program that is measured. Its CPU time and memory are read
// from /proc, so they are only known on Linux. All methods may be called on
// nil, which knows nothing.
type Process struct {
	pid   int
	admin string // host:port; empty: it has no metrics
	done  chan error
}

// Attach measures a process that runs already.
func Attach(pid int, admin string) *Process { return &Process{pid: pid, admin: admin} }

// Start runs a program until Stop, and returns when its door is open.
func Start(ctx context.Context, cmd *exec.Cmd, door, admin string) (*Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the program to measure: %w", err)
	}
	p := &Process{pid: cmd.Process.Pid, admin: admin, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	for tries := 0; ; tries++ {
		c, err := net.Dial("tcp", door)
		if err == nil {
			return p, c.Close()
		}
		select {
		case err := <-p.done:
			return nil, fmt.Errorf("the program to measure has ended before its door %s was open: %w", door, errors.Join(err))
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), p.Stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the program and waits for it.
func (p *Process) Stop() error {
	if p == nil || p.done == nil {
		return nil
	}
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the program that was measured: %w", err)
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(stopWait):
		return errors.Join(errors.New("the program that was measured does not stop: killed"), syscall.Kill(p.pid, syscall.SIGKILL))
	}
}

const stopWait = 30 * time.Second

// ticks is how many clock ticks /proc counts in a second on every Linux.
const ticks = 100

// cpu is the process's time so far, in all its threads.
func (p *Process) cpu() time.Duration {
	if p == nil {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the name may hold spaces
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks
}

// memory is what the process holds now, in KiB, and peak the most it ever held.
func (p *Process) memory() int { return p.status("VmRSS:") }
func (p *Process) peak() int   { return p.status("VmHWM:") }

func (p *Process) status(name string) int {
	if p == nil {
		return 0
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			return n
		}
	}
	return 0
}

// runtime is what the program's own metrics say of its Go runtime, by the
// metrics' names; nil where it has none.
func (p *Process) runtime(ctx context.Context) map[string]float64 {
	if p == nil || p.admin == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/metrics", nil)
	if err != nil {
		return nil
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ") // no label of those that are told holds a space
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil && told(name) {
			all[name] = n
		}
	}
	return all
}

// told are the metrics that a report repeats.
func told(name string) bool {
	for _, prefix := range []string{"go_goroutines", "go_gc_duration_seconds", "go_gc_pauses_seconds_sum", "go_gc_cpu_seconds_total", "go_memstats_heap_inuse_bytes", "go_memstats_stack_inuse_bytes", "steno_connections", "steno_calls_active", ownAdded} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
