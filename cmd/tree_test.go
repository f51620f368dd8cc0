// Package cmd_test holds the shape of the module: who may import whom, and the
// budgets that keep the code readable.
package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "example.com/steno"

// mayImport says which packages of the module a package may import. The flow
// runs one way; what ships never imports the laboratory (bench, orgsim).
var mayImport = map[string]string{
	"batcher":                 "batcher/spool",
	"batcher/spool":           "",
	"batcher/spool/durable":   "batcher/spool",
	"batcher/spool/spooltest": "batcher/spool",
	"bench/growth":            "bench/load",
	"bench/load":              "bench/workload",
	"bench/memnet":            "",
	"bench/pack":              "",
	"bench/peers":             "",
	"bench/workload":          "testdata",
	"cmd":                     "",
	"cmd/internal/cli":        "",
	"cmd/steno":               "cmd/internal/cli cmd/steno/daemon cmd/steno/deadletters sfclient",
	"cmd/steno/cluster":       "",
	"cmd/steno/daemon":        "cmd/steno/cluster ingest/relay batcher batcher/spool batcher/spool/durable cmd/internal/cli cmd/steno/cluster cmd/steno/deadletters cmd/steno/monitor ingest ingest/client sfclient",
	"cmd/steno/deadletters":   "batcher/spool",
	"cmd/steno/monitor":       "batcher batcher/spool ingest",
	"cmd/stenolab":            "bench/load bench/workload cmd/internal/cli cmd/steno/daemon ingest/client sfclient/orgsim",
	"ingest":                  "batcher/spool ingest/assembly ingest/dialect",
	"ingest/assembly":         "ingest/dialect",
	"ingest/client":           "",
	"ingest/dialect":          "",
	"ingest/relay":            "ingest ingest/dialect",
	"sfclient":                "",
	"sfclient/orgsim":         "",
	"testdata":                "",
}

// mustNotImport are packages of others that would break a promise.
var mustNotImport = map[string][]string{
	"batcher":         {"net", "net/http", "github.com/gorilla/websocket"},
	"batcher/spool":   {"net/http", "github.com/gorilla/websocket"},
	"sfclient":        {"github.com/VictoriaMetrics/metrics", "github.com/gorilla/websocket"},
	"sfclient/orgsim": {"github.com/VictoriaMetrics/metrics"},
}

// source is one parsed file.
type source struct {
	dir, path string
	test      bool
	file      *ast.File
	fset      *token.FileSet
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", p)
		all = append(all, source{path.Dir(filepath.ToSlash(rel)), rel, strings.HasSuffix(p, "_test.go"), f, fset})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found %d Go files: not the module", len(all))
	}
	return all
}

func TestImportsRunOneWay(t *testing.T) {
	for _, s := range sources(t) {
		allowed, known := mayImport[s.dir]
		if !known {
			t.Errorf("%s: package %s is not in mayImport: where in the flow is it?", s.path, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			switch {
			case s.test:
			case isOurs && !slices.Contains(strings.Fields(allowed), ours):
				t.Errorf("%s imports %s: it may only import [%s]", s.path, ours, allowed)
			case slices.Contains(mustNotImport[s.dir], imported):
				t.Errorf("%s imports %s, which %s must not know", s.path, imported, s.dir)
			}
		}
	}
}

func TestPackagesSayWhatTheyPromise(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestBudgets(t *testing.T) {
	const maxFile, maxFunc, maxTest, maxParams = 500, 80, 120, 5 // a test may hold a table
	for _, s := range sources(t) {
		if n := s.fset.Position(s.file.End()).Line; n > maxFile {
			t.Errorf("%s has %d lines, want at most %d", s.path, n, maxFile)
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > maxFunc && !s.test || n > maxTest {
				t.Errorf("%s: %s has %d lines, want at most %d", s.path, f.Name.Name, n, maxFunc)
			}
			if n := f.Type.Params.NumFields(); n > maxParams {
				t.Errorf("%s: %s has %d parameters, want at most %d", s.path, f.Name.Name, n, maxParams)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}

// TestOnlyMainTouchesTheProcess keeps every command testable.
func TestOnlyMainTouchesTheProcess(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || path.Base(s.path) == "main.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if name := qualified(n); slices.Contains([]string{"os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "log.Fatal"}, name) {
				t.Errorf("%s uses %s: only main may", s.path, name)
			}
			return true
		})
	}
}

// TestNoTestSleepsForReal: a sleep in a test is fine in a bubble, where it
// takes no time, so it is only found in packages that have bubbles.
func TestNoTestSleepsForReal(t *testing.T) {
	bubbles, sleeps := map[string]bool{}, map[string]string{}
	for _, s := range sources(t) {
		if !s.test {
			continue
		}
		for _, spec := range s.file.Imports {
			bubbles[s.dir] = bubbles[s.dir] || spec.Path.Value == `"testing/synctest"`
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if qualified(n) == "time.Sleep" {
				sleeps[s.dir] = s.path
			}
			return true
		})
	}
	for dir, path := range sleeps {
		if !bubbles[dir] {
			t.Errorf("%s sleeps, and no test of its package has a bubble", path)
		}
	}
}

// qualified is "package.Name" where n is such a selector.
func qualified(n ast.Node) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return pkg.Name + "." + sel.Sel.Name
}
