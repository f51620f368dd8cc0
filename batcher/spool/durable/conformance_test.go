package durable_test

import (
	"testing"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/batcher/spool/spooltest"
)

func TestConformance(t *testing.T) {
	spooltest.RunOutside(t, func(t *testing.T) spool.Spool { return openAt(t, t.TempDir()) })
}

// openAt opens the spool in dir. The test closes it.
func openAt(t testing.TB, dir string) *durable.Spool {
	t.Helper()
	s, err := durable.Open(t.Context(), durable.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
