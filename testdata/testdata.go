// Package testdata holds what the tests, the demo and the load generator run
// on: recordings and documents that this project wrote itself. They are
// embedded, so that a binary carries them wherever it goes.
//
// README.md says what they are and what shape they have. example.com/steno/bench/workload
// reads them; shipped code never imports this package.
package testdata

import "embed"

//go:embed calls/*.jsonl
var calls embed.FS

// Calls is a read-only file system whose folder calls/ holds one phone call
// a file, as JSON lines.
func Calls() embed.FS { return calls }
