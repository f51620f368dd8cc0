package main

import (
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// thrift says how much garbage the heap may have, in per cent of what is in use,
// before it is collected. Go's 100 is made for programs that have nothing but
// their memory to give: of a daemon that mostly waits it makes one twice as large
// as what it holds. It is plain data: the caller passes the CPU times in.
//
//	T1  a look at which collecting took more than dear of the CPU time since the
//	    last one: more garbage, up to Go's own
//	T2  one at which it took less than cheap: less garbage, down to leastGarbage
type thrift struct {
	percent       int
	collected, in float64 // seconds of CPU at the last look: spent on collecting, and in all
}

const (
	cheap, dear  = 0.06, 0.10
	leastGarbage = 25
	mostGarbage  = 100
	thriftEvery  = time.Second
)

// look returns the per cent from now on.
func (t *thrift) look(collected, in float64) int {
	share := (collected - t.collected) / max(in-t.in, 1e-3)
	t.collected, t.in = collected, in
	switch {
	case share > dear: // T1
		t.percent = min(t.percent*3/2, mostGarbage)
	case share < cheap: // T2
		t.percent = max(t.percent*9/10, leastGarbage)
	}
	return t.percent
}

// keepThrift looks every second, until stop is called. Who has set GOGC or
// GOMEMLIMIT decides alone.
func keepThrift(environ []string) (stop func()) {
	if isSet(environ, "GOGC") || isSet(environ, "GOMEMLIMIT") {
		return func() {}
	}
	before := debug.SetGCPercent(leastGarbage)
	ending, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		lookUntil(ending)
	}()
	return func() {
		close(ending)
		<-ended
		debug.SetGCPercent(before)
	}
}

// lookUntil does what keepThrift says, until ending is closed.
func lookUntil(ending <-chan struct{}) {
	t := thrift{percent: leastGarbage}
	times := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/user:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}}
	tick := time.NewTicker(thriftEvery)
	defer tick.Stop()
	for percent := t.percent; ; {
		select {
		case <-tick.C:
		case <-ending:
			return
		}
		metrics.Read(times) // as they were at the end of the last collection
		// What nobody else wanted costs nothing.
		collected := times[0].Value.Float64() - times[2].Value.Float64()
		if next := t.look(collected, collected+times[1].Value.Float64()); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
	}
}

// isSet says whether a variable has a value.
func isSet(environ []string, variable string) bool {
	return slices.ContainsFunc(environ, func(v string) bool {
		name, value, _ := strings.Cut(v, "=")
		return name == variable && value != ""
	})
}
