package dialect

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestReadmeMapping reads the README's example as the README says.
func TestReadmeMapping(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(content), "<!-- mapping -->\n")
	example, _, _ = strings.Cut(example, "<!-- end -->")
	blocks := strings.Split(example, "```")
	if len(blocks) != 7 {
		t.Fatalf("the README's example of a mapping has %d parts, want a message, a query and what they say", len(blocks)/2)
	}
	message, query, want := strings.TrimPrefix(blocks[1], "json\n"), strings.TrimSpace(blocks[3]), strings.TrimSpace(blocks[5])
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newMapping(Options{Values: values})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := d.Decode([]byte(message), func(e Event) { got = append(got, saying(e)) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	for _, option := range mapOptions() {
		if !strings.Contains(string(content), "`"+mapPrefix+option+"`") {
			t.Errorf("the README does not tell of %s%s", mapPrefix, option)
		}
	}
}

// TestReadmeTable: each dialect has its line.
func TestReadmeTable(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range All() {
		if strings.Count(string(content), "\n| `"+d.Name+"` | ") != 1 {
			t.Errorf("the README's table does not have %s once", d.Name)
		}
	}
}
