package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Build is what the build stamped into the program; fields that it did not stamp are
// empty.
type Build struct {
	Version string // of the release, such as v1.2.3
	Commit  string // of the source
}

func newVersion(build Build) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: "Print the version of this program, the commit that it was built from, and Go's version.\n" +
			"reims-health --version prints the same.",
		Example: "  reims-health version",
		Args:    commandArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return build.print(cmd.OutOrStdout()) },
	}
}

// print writes the line of the version.
func (b Build) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "reims-health %s (commit %s, %s %s/%s)\n", b.Version, b.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// orRecorded fills empty fields with what the Go toolchain recorded.
func (b Build) orRecorded() Build {
	info, ok := debug.ReadBuildInfo()
	if b.Version == "" && ok {
		b.Version = info.Main.Version
	}
	if b.Commit == "" && ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return Build{orUnknown(b.Version), orUnknown(b.Commit)}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
