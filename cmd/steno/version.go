package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"example.com/steno/cmd/internal/cli"
)

type versionCommand struct{}

// Run prints the version that the build has noted.
func (versionCommand) Run(p cli.Process) error {
	version, revision := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(info.Main.Version, "(devel)")
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(p.Stdout, "steno %s%s\n", version, revision)
	return err
}
