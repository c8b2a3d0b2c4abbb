package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// addOutput adds --output, which takes the form for people, the default, or json, and
// refuses anything else before the command runs.
func addOutput(cmd *cobra.Command, output *string, people string) {
	cmd.Flags().StringVarP(output, "output", "o", people, people+" or json")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *output != people && *output != "json" {
			return &usageError{fmt.Sprintf("--output %q: want %s or json", *output, people)}
		}
		return nil
	}
}
