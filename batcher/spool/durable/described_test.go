package durable_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/steno/batcher/spool/durable"
)

// described is what JetStream says of a stream: its text, and the checksum.
type described struct{ text, sum []byte }

func (d *described) read(t *testing.T, stream string) {
	t.Helper()
	var err error
	if d.text, err = os.ReadFile(filepath.Join(stream, "meta.inf")); err != nil {
		t.Fatal(err)
	}
	if d.sum, err = os.ReadFile(filepath.Join(stream, "meta.sum")); err != nil {
		t.Fatal(err)
	}
}

func (d *described) write(t *testing.T, stream string) {
	t.Helper()
	for name, content := range map[string][]byte{"meta.inf": d.text, "meta.sum": d.sum} {
		if err := os.WriteFile(filepath.Join(stream, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// newestSegment is the directory of the segment that was begun last.
func newestSegment(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(stream(dir, "STENO_SPOOL_*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the segments but the first are %v, %v, want one", found, err)
	}
	return found[0]
}

// written is a store whose newest segment was described three times, and has
// something in it.
func written(t *testing.T, key string) (dir string, steps []described) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, durable.Config{Dir: dir, Key: key})
	say(t, s, 1, 5, "a")
	durable.DescribeInSteps(t, s, func() {
		var d described
		d.read(t, newestSegment(t, dir))
		steps = append(steps, d)
	})
	say(t, s, 6, 9, "a")
	closeIt(t, s)
	return dir, steps
}

func wantNine(t *testing.T, cfg durable.Config) {
	t.Helper()
	s := open(t, cfg)
	defer closeIt(t, s)
	wantWhole(t, drain(t, s), 1, 9, "a")
	if st := s.Stats(); st.Lost != 0 || len(st.Damage) != 0 {
		t.Errorf("stats %+v, want no damage", st)
	}
}

func wantDamaged(t *testing.T, cfg durable.Config, what string) {
	t.Helper()
	if s, err := durable.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%s: Open = %v, want an error about the damage", what, err)
		if err == nil {
			closeIt(t, s)
		}
	}
}

// A kill between the writing of a description and the writing of its checksum
// loses nothing and does not keep the daemon from starting.
func TestKilledBetweenDescriptionAndChecksum(t *testing.T) {
	for _, key := range []string{"", "a key"} {
		dir, steps := written(t, key)
		cfg := durable.Config{Dir: dir, Key: key}
		for i, what := range []string{"the limit's end", "the seal"} {
			killed := described{steps[i+1].text, steps[i].sum}
			if string(steps[i].sum) == string(steps[i+1].sum) {
				t.Fatalf("%s does not change the description", what)
			}
			killed.write(t, newestSegment(t, dir))
			wantNine(t, cfg)
		}
	}
}

// A description that is not what was written is damage, whatever its checksum
// is of.
func TestDescriptionWithAFlippedBit(t *testing.T) {
	for _, key := range []string{"", "a key"} {
		dir, steps := written(t, key)
		at := len(steps[2].text) / 2
		flipped := append([]byte(nil), steps[2].text...)
		flipped[at] ^= 1
		for _, of := range steps {
			d := described{flipped, of.sum}
			d.write(t, newestSegment(t, dir))
			wantDamaged(t, durable.Config{Dir: dir, Key: key}, "a flipped bit")
		}
		steps[2].write(t, newestSegment(t, dir))
		wantNine(t, durable.Config{Dir: dir, Key: key})
	}
}

// A segment that has no checksum yet was not there yet, if nothing is in it;
// and is damaged else.
func TestSegmentWithoutAChecksum(t *testing.T) {
	for _, key := range []string{"", "a key"} {
		dir, _ := written(t, key)
		if err := os.Remove(filepath.Join(newestSegment(t, dir), "meta.sum")); err != nil {
			t.Fatal(err)
		}
		wantDamaged(t, durable.Config{Dir: dir, Key: key}, "messages without a checksum")
	}

	for _, key := range []string{"", "a key"} {
		cfg := durable.Config{Dir: t.TempDir(), Key: key}
		s := open(t, cfg)
		say(t, s, 1, 9, "a")
		durable.LoseTheEndOfARoll(t, s)
		closeIt(t, s)
		if err := os.Remove(filepath.Join(newestSegment(t, cfg.Dir), "meta.sum")); err != nil {
			t.Fatal(err)
		}
		wantNine(t, cfg)
		if found, _ := filepath.Glob(stream(cfg.Dir, "STENO_SPOOL_*")); len(found) > 0 {
			t.Errorf("with the key %q, what was being made is still there: %v", key, found)
		}
	}
}
