package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// separator stands between the frames of a fuzzed stream.
var separator = []byte{0x1e}

// FuzzDecoders gives a stream of frames to every dialect: as it is, and with
// their JSON reshaped as seed says.
func FuzzDecoders(f *testing.F) {
	for _, engine := range engines(f) {
		frames := ownFrames(f, engine)
		for i, frame := range frames {
			f.Add(frame, uint64(i))
		}
		f.Add(bytes.Join(frames, separator), uint64(0))
		f.Add(bytes.Join(frames, separator), uint64(1))
	}
	f.Add([]byte("{\"text\":\"caf\xe9\",\"Text\":\"caf\xe9\"}\x1ex-requestid:\xe9\r\n\r\n{}"), uint64(0))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		frames := bytes.Split(stream, separator)
		random := rand.New(rand.NewPCG(seed, 0))
		for i, frame := range frames {
			var v any
			if seed != 0 && json.Unmarshal(frame, &v) == nil {
				frames[i], _ = json.Marshal(reshape(random, v))
			}
		}
		for _, d := range All() {
			checkPromises(t, d, frames)
		}
	})
}

// reshape leaves members out of JSON, and puts others in their place, as
// another version of an engine would. The order of members changes, too.
func reshape(random *rand.Rand, v any) any {
	switch random.IntN(40) {
	case 0:
		odd := []any{nil, true, false, "", "true", " -1", "12.5", -1, 0, 1e300, []any{}, map[string]any{}, []any{v, v}}
		return odd[random.IntN(len(odd))]
	case 1:
		return random.IntN(100)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] = reshape(random, v[name]); random.IntN(20) == 0 {
				delete(v, name)
			}
		}
	case []any:
		for i, element := range v {
			v[i] = reshape(random, element)
		}
	}
	return v
}

// engines are those of whose frames there are samples of our own.
func engines(t testing.TB) []string {
	dirs, err := filepath.Glob("testdata/*/expected.json")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for i, dir := range dirs {
		dirs[i] = filepath.Base(filepath.Dir(dir))
	}
	return dirs
}

// ownFrames are an engine's samples, in the order of their names.
func ownFrames(t testing.TB, engine string) [][]byte {
	files, err := filepath.Glob(filepath.Join("testdata", engine, "[0-9]*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples of %s: %v", engine, err)
	}
	var frames [][]byte
	for _, file := range files {
		frame, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	return frames
}

// checkPromises holds a dialect to what the package promises of any frames.
func checkPromises(t *testing.T, d Dialect, frames [][]byte) {
	events, faults := run(t, d, frames, false)
	for _, e := range events {
		checkEvent(t, d, e)
	}
	// The frame's memory is the caller's again, and what it said is not.
	again, faultsAgain := run(t, d, frames, true)
	if !reflect.DeepEqual(events, again) || !slices.Equal(faults, faultsAgain) {
		t.Errorf("%s: %q said\n\t%+v %q, and again\n\t%+v %q", d.Name, frames, events, faults, again, faultsAgain)
	}
	for _, frame := range frames {
		with, without := standing(t, d, frame, true), standing(t, d, frame, false)
		if !reflect.DeepEqual(with, without) {
			t.Errorf("%s: %q says %+v, and without partials %+v", d.Name, frame, with, without)
		}
	}
}

// run decodes frames by a new decoder. Spoiling overwrites each one afterwards.
func run(t *testing.T, d Dialect, frames [][]byte, spoil bool) (events []Event, faults []string) {
	decoder, err := d.New(anyOptions(true))
	if err != nil {
		t.Fatalf("%s: %v", d.Name, err)
	}
	emit := func(e Event) { events = append(events, e) }
	for _, frame := range frames {
		frame := bytes.Clone(frame)
		if err := decoder.Decode(frame, emit); err != nil {
			faults = append(faults, err.Error())
		}
		for i := range frame {
			if spoil {
				frame[i] = '#'
			}
		}
	}
	decoder.Finish(emit)
	return events, faults
}

// standing is what a frame alone says that will not change.
func standing(t *testing.T, d Dialect, frame []byte, partials bool) (events []Event) {
	decoder, err := d.New(anyOptions(partials))
	if err != nil {
		t.Fatalf("%s: %v", d.Name, err)
	}
	_ = decoder.Decode(bytes.Clone(frame), func(e Event) {
		if e.Kind == Piece || e.Kind == Final {
			events = append(events, e)
		}
	})
	return events
}

func checkEvent(t *testing.T, d Dialect, e Event) {
	if e.Kind < Partial || e.Kind > Unknown {
		t.Errorf("%s: %+v has no kind", d.Name, e)
	}
	if !e.Glued && e.Text != strings.TrimSpace(e.Text) {
		t.Errorf("%s: %+v is not trimmed", d.Name, e)
	}
	if e.Start.kind == e.End.kind && e.End.ms < e.Start.ms {
		t.Errorf("%s: %+v ends before it starts", d.Name, e)
	}
	for _, i := range []Instant{e.Start, e.End} {
		if i.ms < 0 || i.ms > 3*maxTime || !i.Known() && i.ms != 0 {
			t.Errorf("%s: %+v is at no time", d.Name, e)
		}
	}
	for _, s := range []string{e.Text, e.Channel, e.Speaker, e.ID, e.Session, e.Call.Key, e.Call.Org, string(e.Reply)} {
		if !utf8.ValidString(s) {
			t.Errorf("%s: %+v is not UTF-8", d.Name, e)
		}
	}
}

// TestMemory: a decoder that has read 10,000 frames, each of other ids, times
// and channels, keeps little, and no large frame for the sake of a name in it.
func TestMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	padding := fmt.Appendf(nil, `{"padding":"%0*d",`, 512<<10, 0)
	for _, engine := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			d, ok := Lookup(engine)
			if !ok {
				t.Fatal("there are samples, and no dialect")
			}
			decoder, err := d.New(anyOptions(false))
			if err != nil {
				t.Fatal(err)
			}
			frames := ownFrames(t, engine)
			before := heap()
			for i := range 10_000 {
				frame := bytes.Clone(frames[i%len(frames)])
				shuffleDigits(random, frame)
				if i >= 9_990 {
					frame = bytes.Replace(frame, []byte("{"), padding, 1)
				}
				_ = decoder.Decode(frame, func(Event) {})
			}
			if kept := heap() - before; kept > 256<<10 {
				t.Errorf("%d KiB are kept after 10,000 frames", kept>>10)
			}
			runtime.KeepAlive(decoder)
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// shuffleDigits makes other ids, times and channels of a frame's.
func shuffleDigits(random *rand.Rand, frame []byte) {
	for i, c := range frame {
		if '1' <= c && c <= '9' {
			frame[i] = '1' + byte(random.IntN(9))
		}
	}
}

// TestHostile: frames that no engine sends are faults, and nothing else.
func TestHostile(t *testing.T) {
	const deep, wide = 100_000, 1 << 20
	frames := map[string]string{
		"nothing":         "",
		"a deep array":    strings.Repeat("[", deep),
		"a deep object":   strings.Repeat(`{"a":`, deep),
		"deep in a known": `{"type":"Results","channel":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}",
		"cut short":       `{"type":"Results","is_final":true,"channel":{"alternatives":[{"transcript":"my`,
		"no JSON":         strings.Repeat("x", wide),
		"a name only":     `{"` + strings.Repeat("a", wide) + `"`,
	}
	for _, d := range All() {
		for name, frame := range frames {
			decoder, err := d.New(anyOptions(false))
			if err != nil {
				t.Fatal(err)
			}
			var events []Event
			err = decoder.Decode([]byte(frame), func(e Event) { events = append(events, e) })
			if err == nil || len(err.Error()) > 200 {
				t.Errorf("%s: %s: error %.300v, events %s, want a short error", d.Name, name, err, fmt.Sprint(events))
			}
		}
	}
}
