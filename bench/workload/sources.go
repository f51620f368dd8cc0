package workload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"example.com/steno/testdata"
)

// RealCalls is where real calls are looked for, relative to the module's
// root: the 45 real calls of PriMock57 (CC BY 4.0) lie beside the checkout
// where they are present. They are never copied into it.
const RealCalls = "../shared/data/primock57.jsonl.gz"

// BuiltinName is what Default calls the source of Builtin.
const BuiltinName = "testdata"

// Builtin returns the calls that the project wrote itself, in the order of
// their names. They are embedded, so that they are always there; every return
// is the caller's own copy.
func Builtin() []Call {
	recordings := testdata.Calls()
	names, err := fs.Glob(recordings, "calls/*.jsonl")
	if err != nil {
		panic(fmt.Sprintf("BUG: list the embedded calls: %v", err))
	}
	var calls []Call
	for _, name := range names {
		c, err := openBuiltin(recordings, name)
		if err != nil {
			panic(fmt.Sprintf("BUG: embedded call %s: %v", path.Base(name), err))
		}
		calls = append(calls, c...)
	}
	return calls
}

func openBuiltin(recordings fs.FS, name string) ([]Call, error) {
	f, err := recordings.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f)
}

// Default returns the calls of the first of paths that exists, or Builtin's
// where none does, and says in from which it took: the path or BuiltinName.
// An empty path is passed over, so that Find's answer can be given as it is.
// A file that exists and cannot be read is an error: nobody who named a file
// wants to measure another.
func Default(paths ...string) (calls []Call, from string, err error) {
	for _, p := range paths {
		if p == "" {
			continue
		}
		calls, err := Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		return calls, p, nil
	}
	return Builtin(), BuiltinName, nil
}

// Find returns the path of RealCalls as seen from the working directory or
// from the root of the module that it lies in, and nothing where the real
// calls are not present.
func Find() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	if found := beside(dir); found != "" {
		return found
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return beside(dir)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// beside returns the path of RealCalls relative to dir, if it is there.
func beside(dir string) string {
	p := filepath.Join(dir, filepath.FromSlash(RealCalls))
	if info, err := os.Stat(p); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return p
}
