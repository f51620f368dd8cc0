package main

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

// cuts is how often the power fails.
const cuts = 10

// TestPowerCutLosesNothing shuts the file system down under the daemon at
// random moments, as a power cut would leave it: what was not synced is gone.
// Whatever a client was acknowledged arrives all the same.
func TestPowerCutLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("cuts the power ten times")
	}
	sim := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, AnswerTime: orgsim.AnswerTime{Median: 20 * time.Millisecond, Spread: .5}})
	org := httptest.NewServer(sim)
	defer org.Close()
	disk := newDisk(t)
	v := newVictim(t, org.URL, "STENO_BATCH_MAX_WAIT=50ms", "STENO_SPOOL_DIR="+filepath.Join(disk.at, "spool"))
	v.start()
	s := newSpeech(t, v.doors)
	var g errgroup.Group
	g.Go(func() error { return s.client.Run(t.Context()) })
	g.Go(s.speak)
	recovered := 0
	for range cuts {
		s.awaitAcks(50 + rand.IntN(400))
		v.freeze() // without power nobody is left to acknowledge what the disk did not do
		disk.shutdown()
		v.kill()
		disk.unmount()
		disk.mount()
		v.start()
		recovered += v.metric("steno_spool_recovered_utterances")
		v.balanced()
		if lost := v.metric("steno_spool_damaged_utterances"); lost != 0 {
			t.Errorf("the spool says that %d acknowledged utterances are lost", lost)
		}
	}
	close(s.enough)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	v.await("everything is settled", func() bool { return v.metric("steno_utterances_pending") == 0 })
	v.stop()
	ledger := sim.Ledger()
	for call, ids := range s.said {
		for i, id := range ids {
			if !slices.Contains(ledger.Calls[call].MessageIDs, id) {
				t.Errorf("lost: %s, seq %d of its stream", id, i+1)
			}
		}
	}
	cmp := ledger.Compare(s.said)
	t.Logf("%d power cuts, %d utterances acknowledged, %d recovered in all, %d stored twice", cuts, cmp.Wanted, recovered, cmp.Duplicated)
	if cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > recovered {
		t.Errorf("after %d power cuts: %+v; %d were recovered", cuts, cmp, recovered)
	}
}

// disk is an ext4 file system on a loop device.
type disk struct {
	t         *testing.T
	image, at string
	mounted   bool
}

func newDisk(t *testing.T) *disk {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a disk of its own")
	}
	d := &disk{t: t, image: filepath.Join(t.TempDir(), "image"), at: t.TempDir()}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 256<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", d.image).CombinedOutput(); err != nil {
		t.Skipf("needs mkfs.ext4 (Debian: e2fsprogs): %v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput(); err != nil {
		t.Skipf("needs loop devices: %v: %s", err, out)
	}
	d.mounted = true
	t.Cleanup(func() {
		if d.mounted {
			_ = exec.Command("umount", "-l", d.at).Run()
		}
	})
	return d
}

func (d *disk) command(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func (d *disk) mount() {
	d.t.Helper()
	d.command("mount", "-o", "loop", d.image, d.at)
	d.mounted = true
}

// unmount comes after the daemon's end, which lets its files go.
func (d *disk) unmount() {
	d.t.Helper()
	d.command("umount", d.at)
	d.mounted = false
}

// shutdown is ext4's own way of losing power: nothing that is in memory
// reaches the disk any more, the journal's last entries included. A sync that
// is under way may return success all the same (it finds its transaction gone,
// and takes it for done): so the daemon must have been frozen before.
func (d *disk) shutdown() {
	d.t.Helper()
	const goingDown, noLogFlush = 0x8004587d, 2
	root, err := os.Open(d.at)
	if err != nil {
		d.t.Fatal(err)
	}
	defer root.Close()
	flags := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, root.Fd(), goingDown, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		d.t.Fatal(fmt.Errorf("shut the file system down: %w", errno))
	}
}
