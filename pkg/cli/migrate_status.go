package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/migrate"
)

func newMigrateStatus(envFile *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print which migrations are applied, and when, and which are pending",
		Long:  "Print which migrations are applied, and when, and which are pending. It writes nothing to the database.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigration(cmd, *envFile, func(ctx context.Context, m *migration) error {
				status, err := m.migrator.Status(ctx)
				if err != nil {
					return err
				}
				if output == "json" {
					enc := json.NewEncoder(cmd.OutOrStdout())
					enc.SetIndent("", "  ")
					return enc.Encode(status)
				}
				return printStatus(cmd.OutOrStdout(), status)
			})
		},
	}
	cmd.Flags().Duration("connect-timeout", 0, "how long to try to reach the server (default $MIGRATE_CONNECT_TIMEOUT)")
	addOutput(cmd, &output, "table")
	return cmd
}

func printStatus(w io.Writer, s *migrate.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tNAME\tSTATE\tAPPLIED")
	for _, step := range s.Steps {
		at := "-"
		if step.AppliedAt != nil {
			at = step.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", step.Version, orDash(step.Name), step.State, at)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nversion %d, pending %d; this program knows %d and needs %d\n", s.Current, s.Pending, s.Latest, s.Required)
	if err == nil && s.Problem != "" {
		_, err = fmt.Fprintln(w, s.Problem)
	}
	if err == nil && s.Adoptable {
		_, err = fmt.Fprintln(w, "the table properties is there, made without this program: migrate up will adopt it")
	}
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
