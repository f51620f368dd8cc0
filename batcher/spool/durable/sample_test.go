package durable_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

var writeSample = flag.String("write-sample", "", "write a directory as this version of the code does, to here")

// TestWriteSample makes a directory for testdata. It is run once for each
// version of the layout, by the code that has it:
//
//	go test ./batcher/spool/durable -run WriteSample -write-sample testdata/v1
func TestWriteSample(t *testing.T) {
	if *writeSample == "" {
		t.Skip("writes a sample only when told where to")
	}
	s, err := durable.Open(t.Context(), durable.Config{Dir: *writeSample, Keep: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	say(t, s, 1, 20, "settled", "waiting", "partly")
	for _, r := range drain(t, s) {
		if r.Call == "settled" || r.Call == "partly" && r.Seq <= 10 {
			settle(t, s, []*spool.Record{r}, "")
		}
	}
	durable.TidyNow(s)
	for _, err := range []error{
		s.Forget(spool.StreamID{Call: "settled", ID: "leg"}),
		s.Append(t.Context(), []*spool.Record{{Call: "partly", Ended: true}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Segments < 2 {
		t.Errorf("%d segments, want some", st.Segments)
	}
	closeIt(t, s)
	if err := os.Remove(filepath.Join(*writeSample, "lock")); err != nil {
		t.Fatal(err)
	}
}

// An old directory opens for ever, and everything of it is found.
func TestOldDirectoriesOpen(t *testing.T) {
	samples, err := filepath.Glob("testdata/v*")
	if err != nil || len(samples) == 0 {
		t.Fatalf("samples: %v, %v", samples, err)
	}
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) { wantSample(t, copyOf(t, sample)) })
	}
}

func wantSample(t *testing.T, dir string) {
	s := openAt(t, dir)
	back, err := s.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	acked := map[string]uint64{}
	for _, m := range back.Streams {
		acked[m.Stream.Call] = m.Acked
	}
	if len(acked) != 2 || acked["waiting"] != 20 || acked["partly"] != 20 {
		t.Errorf("streams %v, want waiting and partly at 20: settled was forgotten", acked)
	}
	if st := s.Stats(); len(st.Damage) != 0 || st.Lost != 0 {
		t.Errorf("stats %+v, want no damage", st)
	}
	got := drain(t, s)
	var waiting, partly []*spool.Record
	for _, r := range got[:len(got)-1] {
		if r.Call == "waiting" {
			waiting = append(waiting, r)
		} else {
			partly = append(partly, r)
		}
	}
	wantWhole(t, waiting, 1, 20, "waiting")
	wantWhole(t, partly, 11, 20, "partly")
	if last := got[len(got)-1]; !last.Ended || last.Call != "partly" {
		t.Errorf("the last record is %+v, want the end of partly", last)
	}
	say(t, s, 21, 25, "waiting")
	settle(t, s, append(got, drain(t, s)...), "")
	closeIt(t, s)
	s = openAt(t, dir)
	defer closeIt(t, s)
	if a := s.Account(); a.Pending != 0 || len(s.Stats().Damage) != 0 {
		t.Errorf("after everything was settled: %+v, damage %v", a, s.Stats().Damage)
	}
}

// The samples are small.
func TestSamplesAreSmall(t *testing.T) {
	size := int64(0)
	err := filepath.WalkDir("testdata", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil || size > 200<<10 {
		t.Errorf("the samples have %d bytes (%v), want at most 200 KiB", size, err)
	}
}
