package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/migrate"
)

func newMigrateUp(from *source) *cobra.Command {
	var dryRun, strict bool
	cmd := &cobra.Command{
		Use:         "up",
		Annotations: queued(stepPatience),
		Short:       "Apply the pending migrations, one run at a time",
		Long: "Apply the pending migrations. Of several runs at the same time, one applies them; the others\n" +
			"wait, then find nothing to do. A table that another tool created is adopted, with its rows.\n" +
			"A database that is newer than this program is not changed.",
		Example: "  reims-health migrate up\n" +
			"  reims-health migrate up --dry-run\n" +
			"  reims-health migrate up --lock-timeout 10s --retry-for 5m",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigration(cmd, from, func(ctx context.Context, m *migration) error {
				result, err := m.up(ctx, cmd.OutOrStdout(), dryRun)
				if err == nil && result.Newer && strict {
					return errors.New(newerText(result.From, m.migrator.Latest()))
				}
				return err
			})
		},
	}
	addLimits(cmd)
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

// printPlan writes the plan as SQL, with everything else in comments.
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

type downOptions struct {
	to                 int64
	yes, force, dryRun bool
}

func newMigrateDown(from *source) *cobra.Command {
	var o downOptions
	cmd := &cobra.Command{
		Use:         "down",
		Annotations: queued(stepPatience),
		Short:       "Undo the newest migration, or all down to a version; rows can be lost",
		Long: "Undo the newest migration, or with --to all migrations above a version. This drops what a\n" +
			"migration created, with its rows. It asks for confirmation; if ENVIRONMENT is production, it\n" +
			"needs --force.",
		Example: "  reims-health migrate down --dry-run\n" +
			"  reims-health migrate down\n" +
			"  reims-health migrate down --to 0 --yes",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("to") {
				o.to = -1
			} else if o.to < 0 {
				return &usageError{fmt.Sprintf("--to %d: want 0 or above", o.to)}
			}
			return runMigration(cmd, from, func(ctx context.Context, m *migration) error { return m.down(ctx, cmd, o) })
		},
	}
	addLimits(cmd)
	cmd.Flags().Int64Var(&o.to, "to", 0, "version to end at; 0 undoes everything (default one below the present)")
	complete(cmd, "to", "0")
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

// allowed checks the flags and the environment before the command connects.
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

func newMigrateStatus(from *source) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print which migrations are applied, and when, and which are pending",
		Long:  "Print which migrations are applied, and when, and which are pending. It writes nothing to the database.",
		Example: "  reims-health migrate status\n" +
			"  reims-health migrate status --output json",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigration(cmd, from, func(ctx context.Context, m *migration) error {
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
	addLimit(cmd, "connect-timeout", "how long to try to reach the server (default $MIGRATE_CONNECT_TIMEOUT)")
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

func newMigrateVerify(from *source) *cobra.Command {
	var (
		output string
		strict bool
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the database with what the migrations create",
		Long: "Compare the database's columns, indexes, constraints, triggers and functions with what the\n" +
			"migrations create, and print the SQL that repairs each difference. The exit code is 1 if there\n" +
			"is any. It only reads, and needs only the right to connect.",
		Example: "  reims-health migrate verify\n" +
			"  reims-health migrate verify --strict --output json",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigration(cmd, from, func(ctx context.Context, m *migration) error {
				return m.verify(ctx, cmd.OutOrStdout(), output == "json", strict)
			})
		},
	}
	addLimit(cmd, "connect-timeout", "how long to wait for the server, and then for its answer (default $MIGRATE_CONNECT_TIMEOUT)")
	addOutput(cmd, &output, "text")
	cmd.Flags().BoolVar(&strict, "strict", false, "fail where there is something extra, too")
	return cmd
}

// verifyWithin bounds the reading: PostgreSQL's functions that describe an index wait
// while another session has its table locked exclusively.
func verifyWithin(ctx context.Context, bound time.Duration, db migrate.TxStarter) (*migrate.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	report, err := migrate.Verify(ctx, db)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("no answer within %s: most likely another session has the table locked exclusively, "+
			"as a migration does: try again when it is through: %w", bound, err)
	}
	return report, err
}

func (m *migration) verify(ctx context.Context, out io.Writer, asJSON, strict bool) error {
	var report *migrate.Report
	err := m.db.WithConn(ctx, func(conn *pgxpool.Conn) (err error) {
		report, err = verifyWithin(ctx, m.cfg.Migrate.ConnectTimeout, conn)
		return err
	})
	if err != nil {
		return fmt.Errorf("verify the schema: %w", err)
	}
	show := report.Print
	if asJSON {
		show = report.PrintJSON
	}
	if err := show(out, strict); err != nil {
		return err
	}
	if err := report.Err(strict); err != nil {
		return fmt.Errorf("verify the schema: %w", err)
	}
	return nil
}
