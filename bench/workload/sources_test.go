package workload_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/steno/bench/workload"
	"example.com/steno/testdata"
)

// The embedded calls are held to what testdata/README.md says of them.
func TestBuiltin(t *testing.T) {
	calls := workload.Builtin()
	files, err := testdata.Calls().ReadDir("calls")
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != len(files) || len(calls) < 10 {
		t.Fatalf("Builtin has %d calls out of %d files, want one a file and at least 10", len(calls), len(files))
	}
	for i, c := range calls {
		checkCall(t, c)
		if name := strings.TrimSuffix(files[i].Name(), ".jsonl"); c.ID != name {
			t.Errorf("the call in %s is called %q, want the file's name", files[i].Name(), c.ID)
		}
		if n := len(c.Utterances); n < 60 || n > 100 {
			t.Errorf("call %s has %d utterances, want 60 to 100", c.ID, n)
		}
		if l := c.Length().Minutes(); l < 4 || l > 7 {
			t.Errorf("call %s lasts %.2f minutes, want 4 to 7", c.ID, l)
		}
		spoken := make(map[workload.Role]workload.Utterance)
		for j, u := range c.Utterances {
			if u.Seq != j+1 || (j > 0 && u.Start < c.Utterances[j-1].Start) {
				t.Errorf("call %s, utterance %d: seq %d at %v, want seq from 1 in the order of start", c.ID, j+1, u.Seq, u.Start)
			}
			if last := spoken[u.Role]; u.Start < last.End {
				t.Errorf("call %s, seq %d: begins at %v, before its speaker ends seq %d at %v", c.ID, u.Seq, u.Start, last.Seq, last.End)
			}
			spoken[u.Role] = u
		}
		if len(spoken) != 2 {
			t.Errorf("call %s has %d speakers, want 2", c.ID, len(spoken))
		}
	}
	text := string(recorded(t, calls))
	for _, want := range []string{"Siobhán", "José", "Müller", "Łukasz", "[inaudible]", "Mm-hm."} {
		if !strings.Contains(text, want) {
			t.Errorf("nobody says %q in any call", want)
		}
	}
}

// Builtin's calls are the caller's own: spoiling them spoils nothing for the next.
func TestBuiltinIsACopy(t *testing.T) {
	first := workload.Builtin()
	first[0].Utterances[0].Text = "spoiled"
	if got := workload.Builtin()[0].Utterances[0].Text; got == "spoiled" {
		t.Error("a change of one Builtin shows in the next")
	}
}

func TestDefault(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.jsonl", []byte(hello+other+reply))
	bad := write(t, dir, "bad.jsonl", []byte("{}"))
	absent := filepath.Join(dir, "absent.jsonl")

	f := func(want []workload.Call, wantFrom string, paths ...string) {
		t.Helper()
		got, from, err := workload.Default(paths...)
		if err != nil || from != wantFrom || !reflect.DeepEqual(got, want) {
			t.Errorf("Default(%q) = %d calls from %q, error %v; want %d from %q", paths, len(got), from, err, len(want), wantFrom)
		}
	}
	f(helloAndOther(), good, good)
	f(helloAndOther(), good, "", absent, good, bad)
	f(workload.Builtin(), workload.BuiltinName)
	f(workload.Builtin(), workload.BuiltinName, "", absent)

	if calls, from, err := workload.Default(absent, bad, good); err == nil {
		t.Errorf("Default with an unreadable file first = %d calls from %q, want its error", len(calls), from)
	}
}

func TestFind(t *testing.T) {
	// A checkout two levels deep, with the data beside it.
	top := t.TempDir()
	root := filepath.Join(top, "checkout")
	deep := filepath.Join(root, "cmd", "tool")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	f := func(dir, want string) {
		t.Helper()
		t.Chdir(dir)
		if got := workload.Find(); !sameFile(got, want) {
			t.Errorf("Find in %s = %q, want %q", dir, got, want)
		}
	}
	data := write(t, top, "shared/data/primock57.jsonl.gz", gzipped(t, hello))
	f(root, data) // a working directory needs no module
	f(deep, "")   // no module above: nothing to go by
	write(t, root, "go.mod", []byte("module example.com/x\n"))
	f(root, data)
	f(deep, data)

	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	f(root, "")
	f(deep, "")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	f(deep, "") // a folder of that name is no recording
}

func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// The shape of real calls, as published with them, and how far a recording
// that stands for them may be off.
func TestShapeOfRecordings(t *testing.T) {
	recordings := map[string][]workload.Call{workload.BuiltinName: workload.Builtin()}
	if p := workload.Find(); p != "" {
		calls, err := workload.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		recordings["the real calls"] = calls
	}
	for name, calls := range recordings {
		s := workload.Stats(calls)
		t.Logf("%s: %+v", name, s)
		f := func(what string, got, least, most float64) {
			t.Helper()
			if got < least || got > most {
				t.Errorf("%s: %s is %.4g, want %.4g to %.4g", name, what, got, least, most)
			}
		}
		f("utterances a second of a call", s.PerSecond, 0.229*0.95, 0.229*1.05)
		f("utterances a second, p5 of calls", s.Rate.P5, 0.18, 0.31)
		f("utterances a second, p95 of calls", s.Rate.P95, 0.19, 0.315)
		f("seconds between arrivals, mean", s.Gap.Mean, 4.4*0.9, 4.4*1.1)
		f("share of gaps up to 200 ms", s.Within200ms, 0.004, 0.015)
		f("share of gaps up to 1 s", s.Within1s, 0.06, 0.11)
		f("bytes of a text, mean", s.Bytes.Mean, 65*0.85, 65*1.15)
		f("bytes of a text, p99", s.Bytes.P99, 275*0.85, 275*1.15)
		f("bytes of a text, max", s.Bytes.Max, 275, 524)
		f("share of overlapping utterances", s.Overlapping, 0.4, 0.7)
		f("share of inaudible utterances", s.Inaudible, 0.005, 0.06)
	}
}

// Find's answer serves Default as it is, whether the real calls are there or not.
func TestDefaultOfFind(t *testing.T) {
	calls, from, err := workload.Default(workload.Find())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{workload.Find(), workload.BuiltinName}; !slices.Contains(want, from) {
		t.Errorf("Default(Find()) is from %q, want one of %q", from, want)
	}
	for _, c := range calls {
		checkCall(t, c)
	}
}
