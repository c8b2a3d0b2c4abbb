package cli

import (
	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/buildinfo"
)

// Build is what the build stamped into the program.
type Build = buildinfo.Info

// programName is how the program is called.
const programName = "reims-health"

func newVersion(build Build) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: "Print the version of this program, the commit that it was built from, and Go's version.\n" +
			"reims-health --version prints the same.",
		Example: "  reims-health version",
		Args:    commandArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return build.Print(cmd.OutOrStdout(), programName) },
	}
}
