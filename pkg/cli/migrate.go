package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/logqueue"
	"github.com/reims/reims-health/pkg/migrate"
)

func newMigrate(envFile *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the schema of this release, or say how far it is",
		Long: "Bring the database to the schema of this release, or say how far it is.\n" +
			"DATABASE_MIGRATION_URL, or DATABASE_MIGRATION_URL_FILE, leads to the server itself where\n" +
			"DATABASE_HOST is a pooler, with the migrator's role. See docs/migrations.md.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMigrateUp(envFile), newMigrateDown(envFile), newMigrateStatus(envFile), newMigrateVerify(envFile))
	return cmd
}

// migration is what the subcommands share: the configuration, a pool and a migrator.
type migration struct {
	cfg      *config.Config
	db       *database.DB
	migrator *migrate.Migrator
	reporter *reporter
}

// runMigration loads the configuration and runs fn. No error shows a secret.
func runMigration(cmd *cobra.Command, envFile string, fn func(ctx context.Context, m *migration) error) error {
	cfg, log, err := load(envFile, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := overrideLimits(&cfg.Migrate, cmd.Flags()); err != nil {
		return err
	}
	// A step that holds locks does not wait for who reads of it.
	progress := logqueue.New(cmd.OutOrStdout())
	progress.Start()
	defer progress.Close(stepPatience)
	reporter := newReporter(cfg, log, progress)
	db, err := openMigration(cmd.Context(), cfg)
	if err != nil {
		return reporter.failed(scrubbed(cfg, missingSecret(cfg, err)))
	}
	migrator, err := migrate.New(db.Pool(), migrate.Options{
		ConnectTimeout:   cfg.Migrate.ConnectTimeout,
		RetryFor:         cfg.Migrate.RetryFor,
		LockWait:         cfg.Migrate.LockWait,
		LockTimeout:      cfg.Migrate.LockTimeout,
		StatementTimeout: cfg.Migrate.StatementTimeout,
		Report:           reporter.report,
	})
	if err == nil {
		err = fn(cmd.Context(), &migration{cfg, db, migrator, reporter})
	}
	return reporter.failed(scrubbed(cfg, missingSecret(cfg, errors.Join(err, db.Close()))))
}

// missingSecret says where the file of a secret should have come from.
func missingSecret(cfg *config.Config, err error) error {
	if err == nil || cfg.Migrate.Secret == "" || !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "no such file or directory") {
		return err
	}
	return fmt.Errorf("%w: the file is of the Secret %s: make that Secret in this namespace, with this key, or correct its name", err, cfg.Migrate.Secret)
}

// openMigration opens a pool as the migrator. Nothing is dialled yet.
func openMigration(ctx context.Context, cfg *config.Config) (*database.DB, error) {
	service, settings, err := databaseSettings(cfg)
	if err != nil {
		return nil, err
	}
	settings, err = settings.ForMigration(service.Prefix())
	if err != nil {
		return nil, err
	}
	pool := settings.Pool(cfg.Health.Environment)
	pool.MaxConns, pool.ApplicationName = 1, "reims-health migrate"
	pool.ConnectTimeout = cfg.Migrate.ConnectTimeout
	pool.CommandTimeout = commandTimeout(cfg.Migrate.StatementTimeout)
	return database.Open(ctx, pool)
}

// commandTimeout is for a server that no longer answers: its own limit comes first.
func commandTimeout(statement time.Duration) time.Duration {
	const margin, none = 30 * time.Second, 24 * 24 * time.Hour // what fits the server's setting
	if statement == 0 {
		return none
	}
	return statement + margin
}

// addLimits adds the flags that win over the variables.
func addLimits(flags *pflag.FlagSet) {
	for _, l := range limits(new(config.Migrate)) {
		flags.Duration(l.flag, 0, l.usage+" (default $"+l.variable+")")
	}
}

type limit struct {
	flag, variable, usage string
	value                 *time.Duration
	zero                  bool // means something
}

func limits(c *config.Migrate) []limit {
	return []limit{
		{"connect-timeout", "MIGRATE_CONNECT_TIMEOUT", "how long to try to reach the server", &c.ConnectTimeout, false},
		{"retry-for", "MIGRATE_RETRY_FOR", "how long up tries again after what may pass by itself, 0s for not at all", &c.RetryFor, true},
		{"lock-wait", "MIGRATE_LOCK_WAIT", "how long to wait for another run", &c.LockWait, true},
		{"lock-timeout", "MIGRATE_LOCK_TIMEOUT", "bound on the wait for a table's lock", &c.LockTimeout, false},
		{"statement-timeout", "MIGRATE_STATEMENT_TIMEOUT", "bound on each statement, 0s for none", &c.StatementTimeout, true},
	}
}

func overrideLimits(c *config.Migrate, flags *pflag.FlagSet) error {
	for _, l := range limits(c) {
		if !flags.Changed(l.flag) {
			continue
		}
		value, err := flags.GetDuration(l.flag)
		if err != nil {
			return err
		}
		if value < 0 || value == 0 && !l.zero || value > 24*time.Hour {
			return &usageError{fmt.Sprintf("--%s %s: want a duration above 0s, of at most 24h", l.flag, value)}
		}
		*l.value = value
	}
	return nil
}
