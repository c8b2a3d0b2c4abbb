package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check/display"
)

type downOptions struct {
	to                 int64
	yes, force, dryRun bool
}

func newMigrateDown(envFile *string) *cobra.Command {
	var o downOptions
	cmd := &cobra.Command{
		Use:         "down",
		Annotations: queued(stepPatience),
		Short:       "Undo the newest migration, or all down to a version; rows can be lost",
		Long: "Undo the newest migration, or with --to all those above a version. What a migration made\n" +
			"goes, with the rows in it. It asks before, and refuses where ENVIRONMENT is production.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("to") {
				o.to = -1
			} else if o.to < 0 {
				return &usageError{fmt.Sprintf("--to %d: want 0 or above", o.to)}
			}
			return runMigration(cmd, *envFile, func(ctx context.Context, m *migration) error { return m.down(ctx, cmd, o) })
		},
	}
	addLimits(cmd.Flags())
	cmd.Flags().Int64Var(&o.to, "to", 0, "version to end at; 0 undoes everything (default one below the present)")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&o.force, "force", false, "even where ENVIRONMENT is production")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the SQL that would run, and run none of it")
	return cmd
}

func (m *migration) down(ctx context.Context, cmd *cobra.Command, o downOptions) error {
	if err := o.allowed(m.cfg.Health.Environment, cmd.InOrStdin()); err != nil {
		return err
	}
	status, err := m.migrator.Status(ctx)
	if err != nil {
		return err
	}
	if o.to < 0 {
		o.to = max(status.Current-1, 0)
	}
	plan, result, err := m.migrator.PlanDown(ctx, o.to)
	if err != nil {
		return err
	}
	if o.dryRun {
		return printPlan(cmd.OutOrStdout(), plan, result)
	}
	if len(plan) > 0 && !o.yes {
		if err := printPlan(cmd.OutOrStdout(), plan, result); err != nil {
			return err
		}
		if err := ask(cmd); err != nil {
			return err
		}
	}
	start := time.Now()
	result, err = m.migrator.Down(ctx, o.to)
	if err == nil {
		m.reporter.done(result, time.Since(start))
	}
	return err
}

// allowed refuses before anything is contacted.
func (o downOptions) allowed(environment string, stdin io.Reader) error {
	switch {
	case o.dryRun:
		return nil
	case environment == "production" && !o.force:
		return &usageError{"migrate down: refused, because ENVIRONMENT is production: " +
			"a newer schema serves the older release as well; --force undoes it all the same"}
	case !o.yes && !display.IsTerminal(stdin):
		return &usageError{"migrate down: standard input is no terminal to ask on: give --yes"}
	}
	return nil
}

func ask(cmd *cobra.Command) error {
	cmd.Print("\nUndo this, and lose what is in it? [y/N] ")
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("migrate down: not confirmed, nothing was changed")
	}
	return nil
}
