package orgsim_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"example.com/steno/sfclient/orgsim"
)

// The exchanges of testdata/*.http are those of the documents. A file is
// exchanges with one org; an exchange is a request, "--- status", and the
// answer's JSON, in which "*" is any string. A request has the type JSON and a
// good token unless it says otherwise.
func TestDocumentedExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, orgsim.Config{
				ClientID: "key", ClientSecret: "secret", DailyLimit: 15000,
				InstanceURL: "http://abc-123.my.salesforce.com",
			})
			for exchange := range strings.SplitSeq(string(text), "===\n") {
				c.exchange(exchange)
			}
		})
	}
}

func (c *client) exchange(text string) {
	c.t.Helper()
	request, answer, ok := strings.Cut(text, "\n--- ")
	head, body, ok2 := strings.Cut(request+"\n", "\n\n")
	statusLine, want, _ := strings.Cut(answer, "\n")
	status, err := strconv.Atoi(statusLine)
	if !ok || !ok2 || err != nil {
		c.t.Fatalf("not an exchange:\n%s", text)
	}
	var lines []string
	for line := range strings.SplitSeq(head, "\n") {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	method, path, _ := strings.Cut(lines[0], " ")
	r := httptest.NewRequest(method, path, strings.NewReader(strings.TrimSpace(body)))
	r.Host = "abc-123.my.salesforce.com"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	got := serve(c.org, r)
	if got.status != status || !matches(c.t, want, got.body) {
		c.t.Errorf("%s\ngot  %v\nwant %d %s", strings.Join(lines, "\n"), got, status, want)
	}
}

func matches(t testing.TB, want, got string) bool {
	if strings.TrimSpace(want) == "" {
		return got == ""
	}
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("wanted answer: %v\n%s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return false
	}
	return like(w, g)
}

// like compares decoded JSON to the letter, but for "*".
func like(want, got any) bool {
	switch w := want.(type) {
	case string:
		g, ok := got.(string)
		return ok && (w == "*" && g != "" || w == g)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !like(w[i], g[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for name := range w {
			value, there := g[name]
			if !there || !like(w[name], value) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}
