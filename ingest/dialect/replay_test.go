package dialect

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// identity is what words are known by when they are sent again: the engine's
// name for them, or else their times and text.
type identity struct {
	id, channel string
	start, end  Instant
	text        string
}

func identityOf(e Event) identity {
	if e.ID != "" {
		return identity{id: e.ID, channel: e.Channel}
	}
	return identity{channel: e.Channel, start: e.Start, end: e.End, text: e.Text}
}

// TestReplay: a relay that loses its connection sends its frames again on the
// next one, from any of them on. What is said then was said before, under the
// same name.
func TestReplay(t *testing.T) {
	total := 0
	for _, d := range All() {
		files, err := filepath.Glob(filepath.Join("testdata", d.Name, "[0-9]*"))
		if err != nil {
			t.Fatal(err)
		}
		said := map[identity]bool{}
		sayAll(t, d, files, func(e Event) { said[identityOf(e)] = true })
		total += len(said)
		for i := range files {
			sayAll(t, d, files[i:], func(e Event) {
				if !said[identityOf(e)] {
					t.Errorf("from %s on: %+v is new", files[i], e)
				}
			})
		}
	}
	if total < 20 {
		t.Errorf("%d words were said: these are not the samples", total)
	}
}

// anyOptions are options that every dialect takes: mapping does not do without.
func anyOptions(partials bool) Options {
	return Options{Partials: partials, Values: url.Values{mapPrefix + "text": {"text"}}}
}

// sayAll gives files to a new decoder, and emits the words that stand.
func sayAll(t *testing.T, d Dialect, files []string, emit func(Event)) {
	if len(files) == 0 {
		return
	}
	decoder, err := d.New(anyOptions(false))
	if err != nil {
		t.Fatal(err)
	}
	keep := func(e Event) {
		if (e.Kind == Piece || e.Kind == Final) && e.Text != "" {
			emit(e)
		}
	}
	for _, file := range files {
		frame, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_ = decoder.Decode(frame, keep) // audio among them is refused
	}
	decoder.Finish(keep)
}
