package main

import (
	"runtime"

	"example.com/steno/cmd/steno/daemon"
)

// spareProcessor gives the daemon's goroutines two processors, in Go's sense,
// where they have one, until stop is called: on a machine of one core, or bound
// to one. (In a container that may use one of many Go gives two by itself.) A
// thread that waits for the disk keeps its processor until the runtime takes
// notice, up to 10 ms later, and with only one all others wait with it.
//
// Who has set GOMAXPROCS decides alone.
func spareProcessor(environ []string, s daemon.Settings) (stop func()) {
	disk := s.SpoolURL == "" && s.SpoolDir != daemon.InMemory
	if !disk || isSet(environ, "GOMAXPROCS") || runtime.GOMAXPROCS(0) > 1 {
		return func() {}
	}
	runtime.GOMAXPROCS(2)
	return runtime.SetDefaultGOMAXPROCS
}
