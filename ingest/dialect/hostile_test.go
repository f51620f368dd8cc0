package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const (
	hostileSize     = 1 << 20  // of a frame: the doors let no larger one in
	maxHostileBytes = 16 << 20 // what the decoding of one may allocate
)

// TestHostileSize: a frame of the largest size costs little more than its
// size, whatever in it is large.
func TestHostileSize(t *testing.T) {
	frames := 0
	eachHostile(t, func(name string, frame []byte, decoder Decoder) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = decoder.Decode(frame, func(Event) {}) // a fault is as good
		runtime.ReadMemStats(&after)
		if cost := after.TotalAlloc - before.TotalAlloc; cost > maxHostileBytes {
			t.Errorf("%s: %d KiB are allocated for a frame of %d KiB", name, cost>>10, len(frame)>>10)
		}
		frames++
	})
	if frames < 100 {
		t.Errorf("%d frames, these are not all", frames)
	}
}

// BenchmarkHostile is what such frames cost.
func BenchmarkHostile(b *testing.B) {
	eachHostile(b, func(name string, frame []byte, decoder Decoder) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = decoder.Decode(frame, func(Event) {})
			}
		})
	})
}

// eachHostile calls visit with samples of all engines, each with one of its
// lists, objects or strings blown up until the frame is as large as can be.
func eachHostile(t testing.TB, visit func(name string, frame []byte, decoder Decoder)) {
	tried := map[string]bool{}
	try := func(engine, file string, frame any, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := Lookup(engine)
		blowUp(frame, "", func(path string, part string) {
			name := engine + path[strings.LastIndexByte(path, '.'):] + query
			if !tried[name] {
				tried[name] = true
				decoder, err := d.New(Options{Partials: true, Values: values})
				if err != nil {
					t.Fatal(err)
				}
				whole, _ := json.Marshal(frame)
				visit(engine+"/"+file+path+query, bytes.Replace(whole, []byte(`"`+large+`"`), []byte(part), 1), decoder)
			}
		})
	}
	for _, engine := range engines(t) {
		files, err := filepath.Glob(filepath.Join("testdata", engine, "[0-9]*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var frame any
			if err := json.Unmarshal(b, &frame); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			try(engine, strings.TrimSuffix(filepath.Base(file), ".json"), frame, "")
		}
	}
	words := map[string]any{"words": []any{map[string]any{"text": "a", "from": 1.5}}}
	for _, query := range []string{
		"map.text=words.%23.text&map.start=words.%23.from&map.end=words.%23.from", "map.each=words&map.text=text&map.start=from&map.end=from", "map.text=words",
	} {
		try("mapping", "", words, query)
	}
}

// large stands in a frame for what is large.
const large = "LARGE"

// blowUp calls visit for each part of v, and all that may stand in its place.
func blowUp(v any, path string, visit func(path string, part string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			member := v[name]
			v[name] = large
			for kind, part := range largeParts(member) {
				visit(path+"."+name+kind, part)
			}
			v[name] = member
			blowUp(member, path+"."+name, visit)
		}
	case []any:
		for _, element := range v {
			blowUp(element, path+"[]", visit)
		}
	}
}

// largeParts are what may stand in a part's place.
func largeParts(part any) map[string]string {
	const size = hostileSize * 9 / 10
	list := func(element string, most int) string {
		n := min(most, size/(len(element)+1))
		return "[" + strings.Repeat(element+",", n-1) + element + "]"
	}
	own, _ := json.Marshal(part)
	switch part := part.(type) {
	case string:
		return map[string]string{"": `"` + strings.Repeat("a ", size/2) + `"`}
	case []any:
		parts := map[string]string{" of 1": list("1", size)}
		if len(part) > 0 {
			element, _ := json.Marshal(part[0])
			parts[" of its own"] = list(string(element), maxParts/(1+bytes.Count(element, []byte("{"))+bytes.Count(element, []byte("["))))
		}
		return parts
	case map[string]any:
		many := bytes.NewBufferString(strings.TrimSuffix(string(own), "}"))
		for i := range size / 20 {
			fmt.Fprintf(many, `,"channel.%x":1`, i)
		}
		return map[string]string{"": strings.Replace(many.String(), "{,", "{", 1) + "}"}
	}
	return nil
}
