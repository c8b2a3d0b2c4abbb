package buildinfo

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Info is the version information that the build set with -ldflags; fields that it did not set are empty.
type Info struct {
	Version string // of the release, such as v1.2.3
	Commit  string // of the source
}

// OrRecorded fills empty fields from the Go toolchain's build information, or with "unknown".
func (i Info) OrRecorded() Info {
	recorded, ok := debug.ReadBuildInfo()
	if i.Version == "" && ok {
		i.Version = recorded.Main.Version
	}
	if i.Commit == "" && ok {
		for _, s := range recorded.Settings {
			if s.Key == "vcs.revision" {
				i.Commit = s.Value
			}
		}
	}
	return Info{cmp.Or(i.Version, "unknown"), cmp.Or(i.Commit, "unknown")}
}

// Print writes the output of --version.
func (i Info) Print(w io.Writer, program string) error {
	_, err := fmt.Fprintf(w, "%s %s (commit %s, %s %s/%s)\n", program, i.Version, i.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
