package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestVariants: versions, relays and languages write the same frame in other
// ways. It says the same.
func TestVariants(t *testing.T) {
	changes := map[string]func(any) any{
		"more members":        withNews,
		"numbers as strings":  withStrings,
		"booleans as strings": withWords,
		"nulls":               withNulls,
	}
	compared := 0
	for _, root := range []string{"testdata", "../../../shared/engines"} {
		files, err := filepath.Glob(filepath.Join(root, "*", "[0-9]*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			engine := filepath.Base(filepath.Dir(file))
			d, ok := Lookup(engine)
			if !ok {
				t.Fatalf("%s is of no dialect", file)
			}
			want := standing(t, d, b, false)
			for name, change := range changes {
				frame := write(t, change(read(t, b)))
				if got := standing(t, d, frame, false); !reflect.DeepEqual(got, want) {
					t.Errorf("%s with %s says\n\t%+v, want\n\t%+v", file, name, got, want)
				}
				compared += len(want)
			}
			if slices.Contains([]string{"aws-transcribe", "azure", "contact-lens", "google"}, engine) {
				for name, change := range map[string]func(string) string{"snake case": snake, "camel case": camel, "Pascal case": pascal} {
					frame := write(t, withNames(read(t, b), change))
					if got := standing(t, d, frame, false); !reflect.DeepEqual(got, want) {
						t.Errorf("%s in %s says\n\t%+v, want\n\t%+v", file, name, got, want)
					}
				}
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d words were compared: these are not the samples", compared)
	}
}

func read(t *testing.T, b []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // 12.340 is not 12.34 to an id
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

func write(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// each changes all objects, from the innermost on, and all else.
func each(v any, object func(map[string]any), leaf func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			v[name] = each(v[name], object, leaf)
		}
		object(v)
		return v
	case []any:
		for i := range v {
			v[i] = each(v[i], object, leaf)
		}
		return v
	}
	return leaf(v)
}

func same(v any) any { return v }

func unchanged(map[string]any) {}

// withNews adds members that nobody knows, before and behind the others.
func withNews(v any) any {
	return each(v, func(o map[string]any) {
		o["AAA_news"] = map[string]any{"text": "no", "is_final": true, "words": []any{map[string]any{"word": "no"}}}
		o["zzzNews"] = []any{1, nil, "no"}
	}, same)
}

func withStrings(v any) any {
	return each(v, unchanged, func(v any) any {
		if n, ok := v.(json.Number); ok {
			return n.String()
		}
		return v
	})
}

func withWords(v any) any {
	return each(v, unchanged, func(v any) any {
		if b, ok := v.(bool); ok {
			return fmt.Sprint(b)
		}
		return v
	})
}

// withNulls adds members that some engines have and these frames do not.
func withNulls(v any) any {
	return each(v, func(o map[string]any) {
		for _, name := range []string{"speaker", "channel", "confidence", "language", "error", "speech_final", "from_finalize", "is_eos", "error_code", "is_final", "isFinal",
			"words", "items", "results", "status", "message", "start", "end", "metadata", "partial", "text", "type", "event", "data", "payload", "utterance", "segments", "message_type"} {
			if _, ok := o[name]; !ok {
				o[name] = nil
			}
		}
	}, same)
}

// withNames renames all members.
func withNames(v any, change func(string) string) any {
	return each(v, func(o map[string]any) {
		for _, name := range slices.Collect(maps.Keys(o)) {
			member := o[name]
			delete(o, name)
			o[change(name)] = member
		}
	}, same)
}

func snake(name string) string {
	var b strings.Builder
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			if i > 0 && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

func pascal(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(snake(name), "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

func camel(name string) string {
	name = pascal(name)
	return strings.ToLower(name[:1]) + name[1:]
}
