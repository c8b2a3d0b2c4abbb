package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/migrate"
)

func newMigrateVerify(envFile *string) *cobra.Command {
	var (
		output string
		strict bool
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the database with what the migrations create",
		Long: "Compare the database's columns, indexes, constraints, triggers and functions with what the\n" +
			"migrations create, and print the SQL that mends each difference. Exits with 1 if there is\n" +
			"any. It only reads, and needs no right but to connect.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigration(cmd, *envFile, func(ctx context.Context, m *migration) error {
				return m.verify(ctx, cmd.OutOrStdout(), output == "json", strict)
			})
		},
	}
	cmd.Flags().Duration("connect-timeout", 0, "how long to wait for the server, and then for its answer (default $MIGRATE_CONNECT_TIMEOUT)")
	addOutput(cmd, &output, "text")
	cmd.Flags().BoolVar(&strict, "strict", false, "fail where there is something extra, too")
	return cmd
}

// verifyWithin bounds the reading: PostgreSQL describes no index of a table that
// somebody has locked exclusively.
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
