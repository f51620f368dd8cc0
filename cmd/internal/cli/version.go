package cli

import (
	"cmp"
	"runtime/debug"
)

// Version is what the build has noted of the program: its version, and a space
// and the revision where that is known.
func Version() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = " " + s.Value
		}
	}
	return cmp.Or(info.Main.Version, "(devel)"), revision
}
