package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/migrate"
)

func newMigrateUp(envFile *string) *cobra.Command {
	var dryRun, strict bool
	cmd := &cobra.Command{
		Use:         "up",
		Annotations: queued(stepPatience),
		Short:       "Apply the migrations that are pending, one run at a time",
		Long: "Apply the migrations that are pending. Of several runs at once one works and the others\n" +
			"wait, then find nothing to do. A table that was made without this program is adopted,\n" +
			"with its rows kept. A database that is newer than this program is left as it is.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigration(cmd, *envFile, func(ctx context.Context, m *migration) error {
				result, err := m.up(ctx, cmd.OutOrStdout(), dryRun)
				if err == nil && result.Newer && strict {
					return errors.New(newerText(result.From, m.migrator.Latest()))
				}
				return err
			})
		},
	}
	addLimits(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the SQL that would run, and run none of it")
	cmd.Flags().BoolVar(&strict, "strict", false, "fail where the database is newer than this program")
	return cmd
}

func (m *migration) up(ctx context.Context, out io.Writer, dryRun bool) (migrate.Result, error) {
	if dryRun {
		plan, result, err := m.migrator.PlanUp(ctx)
		if err == nil {
			err = printPlan(out, plan, result)
		}
		return result, err
	}
	start := time.Now()
	result, err := m.migrator.Up(ctx)
	switch {
	case err != nil:
	case result.Newer:
		m.reporter.newer(result.From, m.migrator.Latest())
	default:
		m.reporter.done(result, time.Since(start))
	}
	return result, err
}

// printPlan writes SQL, with the rest as comments.
func printPlan(w io.Writer, plan []migrate.Planned, result migrate.Result) error {
	if result.Newer {
		_, err := fmt.Fprintf(w, "-- The database is at version %d, newer than this program: nothing would run.\n", result.From)
		return err
	}
	_, err := fmt.Fprintf(w, "-- Dry run: from version %d to version %d, steps: %d\n", result.From, result.To, len(plan))
	for _, p := range plan {
		note := ""
		if p.Adopt {
			note = " (adoption of the table that is there)"
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "\n-- %s%s\n%s\n", p.Step.File, note, p.SQL)
		}
	}
	return err
}
