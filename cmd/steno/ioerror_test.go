package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

// TestFailingDiskIsOutlasted lets every sync, then every write of the daemon
// fail with EIO for a while, as strace can, and again; then cuts the power.
// Readiness falls while it lasts and comes back by itself; whatever a client
// was acknowledged arrives.
func TestFailingDiskIsOutlasted(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a disk")
	}
	for _, call := range []string{"fsync", "pwrite64"} {
		t.Run(call, func(t *testing.T) { outlastsErrors(t, call) })
	}
}

func outlastsErrors(t *testing.T, call string) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skipf("needs strace to let system calls fail: %v", err)
	}
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice})
	org := httptest.NewServer(sim)
	defer org.Close()
	disk := newDisk(t)
	v := newVictim(t, org.URL, "STENO_BATCH_MAX_WAIT=50ms", "STENO_SPOOL_DIR="+filepath.Join(disk.at, "spool"))
	v.start()
	s := newSpeech(t, v.doors)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)
	ready := func(want int) func() bool {
		return func() bool {
			status, body, err := v.get("/readyz")
			return err == nil && status == want && (want == http.StatusOK || strings.Contains(body, `"spool"`))
		}
	}
	for range 2 {
		s.awaitAcks(100)
		mend := v.fail(call)
		v.await("readiness says that the spool cannot write", ready(http.StatusServiceUnavailable))
		mend()
		for len(s.acks) > 0 {
			<-s.acks
		}
		s.awaitAcks(100)
		v.await("the daemon is ready again", ready(http.StatusOK))
		v.await("what has piled up is settled", func() bool { return v.metric("steno_utterances_pending") < 100 })
	}
	v.freeze()
	disk.shutdown()
	v.kill()
	disk.unmount()
	disk.mount()
	v.start()
	recovered := v.metric("steno_spool_recovered_utterances")
	if lost := v.metric("steno_spool_damaged_utterances"); lost != 0 {
		t.Errorf("the spool says that %d acknowledged utterances are lost", lost)
	}
	s.awaitAcks(100)
	close(s.enough)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	v.await("everything is settled", func() bool { return v.metric("steno_utterances_pending") == 0 })
	v.balanced()
	v.stop()
	cmp := sim.Ledger().Compare(s.said)
	t.Logf("%s failed twice, then the power: %d utterances acknowledged, %d recovered, %d stored twice", call, cmp.Wanted, recovered, cmp.Duplicated)
	if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > recovered {
		t.Errorf("after the errors and the power cut: %+v; %d were recovered", cmp, recovered)
	}
}

// fail lets every call of that name fail until mend is called.
func (v *victim) fail(call string) (mend func()) {
	v.t.Helper()
	strace := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+call+":error=EIO",
		"-p", strconv.Itoa(v.process.Process.Pid))
	var said lockedBuffer
	strace.Stdout, strace.Stderr = &said, &said
	if err := strace.Start(); err != nil {
		v.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		// The error says that it was interrupted.
		_ = strace.Wait()
		close(ended)
	}()
	v.await("strace is attached", func() bool {
		select {
		case <-ended:
			v.t.Skipf("needs to trace a process: %s", said.tail())
		default:
		}
		return v.traced()
	})
	return func() {
		if err := strace.Process.Signal(syscall.SIGINT); err != nil {
			v.t.Error(err)
		}
		<-ended
	}
}
