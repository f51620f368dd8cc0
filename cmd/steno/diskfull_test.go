package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

// TestFullDiskRecoversByItself fills the disk under the daemon while the org is
// away, makes room, and brings the org back.
func TestFullDiskRecoversByItself(t *testing.T) {
	at := t.TempDir()
	tmpfs(t, at, "size=6m")
	outlastsNoRoom(t, []string{"STENO_SPOOL_DIR=" + at}, func(*orgsim.Org) {
		if out, err := exec.Command("mount", "-o", "remount,size=256m", at).CombinedOutput(); err != nil {
			t.Fatalf("make room: %v: %s", err, out)
		}
	})
}

// TestFullSpoolRecoversByItself is the same with STENO_SPOOL_MAX_BYTES in place
// of the disk's end: what makes room is that Salesforce takes what waits.
func TestFullSpoolRecoversByItself(t *testing.T) {
	outlastsNoRoom(t, []string{"STENO_SPOOL_MAX_BYTES=2097152", "STENO_SPOOL_DIR=" + t.TempDir()}, func(sim *orgsim.Org) { sim.Up() })
}

// outlastsNoRoom speaks until nothing is acknowledged any more, then makes room
// and wants everything to arrive.
func outlastsNoRoom(t *testing.T, vars []string, makeRoom func(*orgsim.Org)) {
	if testing.Short() {
		t.Skip("fills a disk")
	}
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice})
	org := httptest.NewServer(sim)
	defer org.Close()
	v := newVictim(t, org.URL, vars...)
	v.start()
	sim.Down(orgsim.Unavailable)
	s := newSpeech(t, v.doors)
	s.pad = strings.Repeat(" and so on", 500)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)
	s.awaitAcks(100)
	v.await("the spool is full and readiness says so", func() bool {
		status, body, err := v.get("/readyz")
		return err == nil && status == http.StatusServiceUnavailable && strings.Contains(body, `"spool"`)
	})
	accepted := v.metric("steno_utterances_accepted_total")
	for len(s.acks) > 0 {
		<-s.acks
	}
	makeRoom(sim)
	s.awaitAcks(100)
	sim.Up()
	v.await("the daemon is ready again", func() bool {
		status, _, err := v.get("/readyz")
		return err == nil && status == http.StatusOK
	})
	close(s.enough)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	v.await("everything is settled", func() bool { return v.metric("steno_utterances_pending") == 0 })
	v.balanced()
	v.stop()
	cmp := sim.Ledger().Compare(s.said)
	t.Logf("full after %d utterances, %d in the end", accepted, cmp.Wanted)
	if !cmp.Clean() || cmp.Wanted <= accepted {
		t.Errorf("after there was room again: %+v, want more than the first %d and no difference", cmp, accepted)
	}
}

// tmpfs mounts a small disk in memory.
func tmpfs(t *testing.T, at, options string) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a disk of its own")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", at).CombinedOutput(); err != nil {
		t.Skipf("needs to mount a tmpfs: %v: %s", err, out)
	}
	t.Cleanup(func() {
		// The daemon's end lets the files go a moment after its process.
		for range 50 {
			if exec.Command("umount", at).Run() == nil {
				return
			}
			<-time.After(20 * time.Millisecond)
		}
		_ = exec.Command("umount", "-l", at).Run()
	})
}
