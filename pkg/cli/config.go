package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

func newConfig(from *source) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration and where each value comes from",
		Long: "Print the effective configuration, secrets redacted, and where each value comes from.\n" +
			"Lists all errors in it, with exit code 2.",
		Example: "  reims-health config\n" +
			"  reims-health config --env-file .env\n" +
			"  reims-health config --output json",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := from.config()
			printWarnings(cmd.ErrOrStderr(), warnings)
			if err != nil {
				return err
			}
			cfg.OnSecretHint(func(p config.Problem) { printWarnings(cmd.ErrOrStderr(), []config.Problem{p}) })
			if output == "json" {
				return cfg.PrintJSON(cmd.OutOrStdout())
			}
			return cfg.Print(cmd.OutOrStdout())
		},
	}
	addOutput(cmd, &output, "text")
	return cmd
}

// source is where the configuration comes from: the environment and a file, and the kinds
// that say which variables there are.
type source struct {
	kinds   dependency.Kinds
	envFile string // of --env-file; empty for none
}

// config reads the configuration.
func (s *source) config() (*config.Config, []config.Problem, error) {
	return config.Load(config.Options{Environ: config.Environ(), EnvFile: s.envFile, Services: s.kinds.Services(), Named: s.kinds.Named})
}

func printWarnings(w io.Writer, warnings []config.Problem) {
	for _, p := range warnings {
		fmt.Fprintf(w, "warning: %s: %s\n", p.Variable, p.Text)
	}
}
