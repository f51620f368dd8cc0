package main

import (
	"runtime"
	"testing"

	"example.com/steno/cmd/steno/daemon"
)

// A disk is given a second processor where there is one, unless somebody has
// said how many there are to be.
func TestSpareProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	disk, memory := daemon.Settings{SpoolDir: "spool"}, daemon.Settings{SpoolDir: daemon.InMemory}
	external := daemon.Settings{SpoolDir: "spool", SpoolURL: "nats://127.0.0.1"}
	f := func(have, want int, s daemon.Settings, environ ...string) {
		t.Helper()
		runtime.GOMAXPROCS(have)
		stop := spareProcessor(environ, s)
		got := runtime.GOMAXPROCS(0)
		stop()
		if got != want {
			t.Errorf("with %d processors, %q and the spool in %q %q: %d, want %d", have, environ, s.SpoolDir, s.SpoolURL, got, want)
		}
	}
	f(1, 2, disk)
	f(1, 2, disk, "GOMAXPROCS=", "GOMAXPROCSX=1")
	f(1, 1, disk, "GOMAXPROCS=1")
	f(1, 1, memory)
	f(1, 1, external)
	f(2, 2, disk)
	f(3, 3, disk)
}
