package durable_test

import (
	"testing"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/batcher/spool/spooltest"
)

// TestConformanceExternal is the suite on a JetStream that is a server of its
// own, reached over TCP.
func TestConformanceExternal(t *testing.T) {
	spooltest.RunOutside(t, func(t *testing.T) spool.Spool {
		s, err := durable.Open(t.Context(), durable.Config{URL: jetStream(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// jetStream starts a server on a free port of this machine.
func jetStream(t *testing.T) (url string) {
	return spooltest.URLs(spooltest.Servers(t, 1))
}

// A spool on an external JetStream goes on with what waits, too.
func TestExternalRestart(t *testing.T) {
	cfg := durable.Config{URL: jetStream(t)}
	s, err := durable.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	say(t, s, 1, 20, "a", "b")
	settle(t, s, drain(t, s)[:10], "")
	closeIt(t, s)
	s, err = durable.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	wantWhole(t, drain(t, s), 6, 20, "a", "b")
}
