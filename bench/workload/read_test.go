package workload_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"example.com/steno/bench/workload"
)

const (
	hello = `{"call":"a","seq":1,"role":"agent","start_ms":0,"end_ms":900,"text":"Hello."}` + "\n"
	other = `{"call":"b","seq":1,"role":"caller","start_ms":5,"end_ms":6,"text":"Grüß Gott"}` + "\n"
	reply = `{"call":"a","seq":2,"role":"caller","start_ms":800,"end_ms":1900,"text":"Hi."}` + "\n"
)

// helloAndOther is what a recording of hello, other and reply holds.
func helloAndOther() []workload.Call {
	ms := time.Millisecond
	return []workload.Call{
		{ID: "a", Utterances: []workload.Utterance{
			{Seq: 1, Role: workload.Agent, Start: 0, End: 900 * ms, Text: "Hello."},
			{Seq: 2, Role: workload.Caller, Start: 800 * ms, End: 1900 * ms, Text: "Hi."},
		}},
		{ID: "b", Utterances: []workload.Utterance{
			{Seq: 1, Role: workload.Caller, Start: 5 * ms, End: 6 * ms, Text: "Grüß Gott"},
		}},
	}
}

func TestRead(t *testing.T) {
	f := func(recording string) {
		t.Helper()
		got, err := workload.Read(strings.NewReader(recording))
		if err != nil {
			t.Errorf("Read(%q): %v", recording, err)
			return
		}
		if want := helloAndOther(); !reflect.DeepEqual(got, want) {
			t.Errorf("Read(%q) = %+v, want %+v", recording, got, want)
		}
	}
	f(hello + reply + other)
	f(hello + other + reply) // mixed
	f("\n" + hello + "  \r\n" + other + strings.ReplaceAll(reply, "\n", ""))
	f(strings.ReplaceAll(hello+other+reply, `"text"`, `"language":"en","text"`))
}

func TestReadErrors(t *testing.T) {
	f := func(recording, want string) {
		t.Helper()
		calls, err := workload.Read(strings.NewReader(recording))
		if err == nil {
			t.Errorf("Read(%q) = %+v, want the error %q", recording, calls, want)
			return
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q): error %q, want %q in it", recording, err, want)
		}
	}
	// with is a second line in which one thing is another.
	with := func(old, new string) string {
		line := strings.Replace(reply, old, new, 1)
		if line == reply {
			t.Fatalf("the line %s has no %s to replace", reply, old)
		}
		return hello + line
	}

	f("", "no call")
	f("\n \n", "no call")
	f(hello+"hello", "line 2: must be one JSON object")
	f(hello+"[]", "line 2: must be one JSON object")
	f(hello+hello[:20], "line 2: must be one JSON object")
	f(hello+"\n\n{}", "line 4: field call: is missing")
	f(hello+"null", "line 2: field call: is missing")
	f(strings.TrimSpace(hello)+strings.TrimSpace(reply), "line 1: must be one JSON object")

	f(with(`"call":"a",`, ``), "line 2: field call: is missing")
	f(with(`"seq":2,`, ``), "line 2: field seq: is missing")
	f(with(`"role":"caller",`, ``), "line 2: field role: is missing")
	f(with(`"start_ms":800,`, ``), "line 2: field start_ms: is missing")
	f(with(`"end_ms":1900,`, ``), "line 2: field end_ms: is missing")
	f(with(`,"text":"Hi."`, ``), "line 2: field text: is missing")
	f(with(`"Hi."`, `null`), "line 2: field text: is missing")

	f(with(`:2`, `:"2"`), "line 2: field seq: is a JSON string")
	f(with(`800`, `0.8`), "line 2: field start_ms: is a JSON number 0.8")
	f(with(`"Hi."`, `["Hi."]`), "line 2: field text: is a JSON array")

	f(with(`"call":"a"`, `"call":""`), "line 2: field call: is empty")
	f(with(`:2`, `:0`), "line 2: field seq: is 0, and must be at least 1")
	f(with(`:2`, `:1`), "line 2: field seq: is 1, and must be above 1")
	f(with(`"caller"`, `"doctor"`), `line 2: field role: is "doctor", and must be agent or caller`)
	f(with(`800`, `-1`), "line 2: field start_ms: is -1")
	f(with(`1900`, `800`), "line 2: field end_ms: is 800, and must be above start_ms, 800")
	f(with(`1900`, `1573503300000`), "line 2: field end_ms: is 1573503300000, and must be at most 86400000")
	f(with(`"Hi."`, `" "`), "line 2: field text: is empty")
	f(hello+`{"text":"`+strings.Repeat("x", 1<<20)+`"}`, "line 2: is longer than 1048576 bytes")
}

// The longest call there is.
func TestReadALongCall(t *testing.T) {
	day := strings.Replace(hello, "900", "86400000", 1)
	calls, err := workload.Read(strings.NewReader(day))
	if err != nil || calls[0].Length() != 24*time.Hour {
		t.Errorf("Read(%q) = %+v, %v; want a call of a day", day, calls, err)
	}
}

// An error goes to a log, and what was said never does.
func TestReadErrorsKeepTextPrivate(t *testing.T) {
	for _, recording := range []string{
		strings.Replace(hello, `:0,`, `:-1,`, 1),
		strings.Replace(hello, `"Hello."}`, `"Hello."`, 1),
		strings.Replace(hello, `"Hello."`, `{"Hello":1}`, 1),
		strings.Replace(hello, `"Hello."`, `Hello`, 1),
	} {
		_, err := workload.Read(strings.NewReader(recording))
		if err == nil || strings.Contains(err.Error(), "Hello") {
			t.Errorf("Read(%q): error %v, want one without the text", recording, err)
		}
	}
}

func TestReadOfABrokenReader(t *testing.T) {
	broken := errors.New("the cable is out")
	_, err := workload.Read(io.MultiReader(strings.NewReader(hello), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("Read of a reader that breaks after a line: error %v, want %v at line 2", err, broken)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	zipped := gzipped(t, hello+other+reply)
	for name, content := range map[string][]byte{
		"plain.jsonl":     []byte(hello + other + reply),
		"zipped.jsonl.gz": zipped,
		// Files put one after the other are a gzip file too.
		"twice.jsonl.gz": append(gzipped(t, hello+other), gzipped(t, reply)...),
	} {
		got, err := workload.Open(write(t, dir, name, content))
		if err != nil {
			t.Errorf("Open(%s): %v", name, err)
			continue
		}
		if want := helloAndOther(); !reflect.DeepEqual(got, want) {
			t.Errorf("Open(%s) = %+v, want %+v", name, got, want)
		}
	}

	for name, content := range map[string][]byte{
		"empty.jsonl":   nil,
		"bad.jsonl":     []byte(hello + "{}"),
		"plain.gz":      []byte(hello),
		"cut.jsonl.gz":  zipped[:len(zipped)-9],
		"zipped.jsonl":  zipped,
		"empty.json.gz": nil,
	} {
		_, err := workload.Open(write(t, dir, name, content))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Open(%s) with bad content: error %v, want one that names the file", name, err)
		}
	}
	if _, err := workload.Open(filepath.Join(dir, "absent.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of an absent file: error %v, want %v", err, fs.ErrNotExist)
	}
}

// FuzzRead holds Read to this: it never panics, what it returns keeps the
// promises of Call and Utterance, and written down again it reads the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "{}", "null", hello, hello + other + reply, hello + hello, other[:30],
		`{"call":"a","seq":1e3,"role":"agent","start_ms":0,"end_ms":9,"text":"\ud800"}`,
		`{"CALL":"é","seq":9007199254740993,"role":"caller","start_ms":1,"end_ms":86400000,"text":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, recording []byte) {
		calls, err := workload.Read(bytes.NewReader(recording))
		if err != nil {
			if calls != nil {
				t.Errorf("Read(%q) = %+v beside the error %v", recording, calls, err)
			}
			return
		}
		for _, c := range calls {
			checkCall(t, c)
		}
		again, err := workload.Read(bytes.NewReader(recorded(t, calls)))
		if err != nil || !reflect.DeepEqual(again, calls) {
			t.Errorf("Read(%q) = %+v, and written and read again %+v, %v", recording, calls, again, err)
		}
	})
}

// checkCall holds c to what Call and Utterance promise.
func checkCall(t *testing.T, c workload.Call) {
	t.Helper()
	if c.ID == "" || len(c.Utterances) == 0 {
		t.Errorf("call %q has %d utterances, want a name and at least one", c.ID, len(c.Utterances))
	}
	seq := 0
	for _, u := range c.Utterances {
		if u.Seq <= seq {
			t.Errorf("call %q: seq %d comes after %d", c.ID, u.Seq, seq)
		}
		if u.Start < 0 || u.End <= u.Start || u.End > c.Length() {
			t.Errorf("call %q, seq %d: from %v to %v in a call of %v", c.ID, u.Seq, u.Start, u.End, c.Length())
		}
		if u.Role != workload.Agent && u.Role != workload.Caller {
			t.Errorf("call %q, seq %d: role %v", c.ID, u.Seq, u.Role)
		}
		if u.Text == "" {
			t.Errorf("call %q, seq %d: no text", c.ID, u.Seq)
		}
		seq = u.Seq
	}
}

// recorded writes calls as JSON lines.
func recorded(t *testing.T, calls []workload.Call) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, c := range calls {
		for _, u := range c.Utterances {
			line, err := json.Marshal(map[string]any{
				"call": c.ID, "seq": u.Seq, "role": u.Role.String(), "text": u.Text,
				"start_ms": u.Start.Milliseconds(), "end_ms": u.End.Milliseconds(),
			})
			if err != nil {
				t.Fatalf("write call %q, seq %d: %v", c.ID, u.Seq, err)
			}
			b.Write(append(line, '\n'))
		}
	}
	return b.Bytes()
}

func gzipped(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write makes a file and returns its path.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}
