package main

import (
	"fmt"

	"example.com/steno/cmd/internal/cli"
)

type versionCommand struct{}

// Run prints the version that the build has noted.
func (versionCommand) Run(p cli.Process) error {
	version, revision := cli.Version()
	_, err := fmt.Fprintf(p.Stdout, "steno %s%s\n", version, revision)
	return err
}
