package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/steno/cmd/steno/daemon"
)

var update = flag.Bool("update", false, "write the README's tables anew")

const readme = "../../README.md"

// TestReadmeTables keeps the README's tables in step with the code:
//
//	go test ./cmd/steno -run Readme -update
func TestReadmeTables(t *testing.T) {
	content, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	want := string(content)
	for name, table := range map[string]string{"settings": settingsTable(), "metrics": metricsTable()} {
		begin := "<!-- " + name + " -->\n"
		before, rest, found := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, "<!-- end -->")
		if !found || !closed {
			t.Fatalf("the README has no place for the %s", name)
		}
		want = before + begin + table + "<!-- end -->" + after
	}
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatal("the README's tables differ from the code: go test ./cmd/steno -run Readme -update")
	}
	if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| variable | default | of an org | |\n|---|---|---|---|\n")
	for _, s := range daemon.AllSettings() {
		field := ""
		if s.OrgField != "" {
			field = "`" + s.OrgField + "`"
		}
		value := "`" + s.Default + "`"
		if s.Required || s.Default == "" {
			value = defaultWord(s)
		}
		secret := ""
		if s.Secret {
			secret = " (secret)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s%s |\n", s.Name, value, field, s.Doc, secret)
	}
	return b.String()
}

func metricsTable() string {
	var b strings.Builder
	b.WriteString("| metric | kind | |\n|---|---|---|\n")
	for _, m := range daemon.AllMetrics() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name, m.Kind, m.Doc)
	}
	return b.String()
}
