package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/logqueue"
	"github.com/reims/reims-health/pkg/migrate"
)

func newMigrate(from *source) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the database to the schema of this release, or show its state",
		Long: "Migrate the database to the schema of this release, or show its state.\n" +
			"If DATABASE_HOST is a pooler, set DATABASE_MIGRATION_URL, or DATABASE_MIGRATION_URL_FILE, to the\n" +
			"server itself, with the migrator's role. See docs/migrations.md.",
		SuggestFor: []string{"migration", "migrations", "schema", "upgrade"},
		Example: "  reims-health migrate status\n" +
			"  reims-health migrate up --dry-run\n" +
			"  reims-health migrate up",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMigrateUp(from), newMigrateDown(from), newMigrateStatus(from), newMigrateVerify(from))
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
func runMigration(cmd *cobra.Command, from *source, fn func(ctx context.Context, m *migration) error) error {
	cfg, log, err := from.load(cmd.ErrOrStderr())
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
		return reporter.failed(redacted(cfg, missingSecret(cfg, err)))
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
	return reporter.failed(redacted(cfg, missingSecret(cfg, errors.Join(err, db.Close()))))
}

// missingSecret adds where the missing file of a secret should have come from.
func missingSecret(cfg *config.Config, err error) error {
	if err == nil || cfg.Migrate.Secret == "" || !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "no such file or directory") {
		return err
	}
	return fmt.Errorf("%w: the file is of the Secret %s: make that Secret in this namespace, with this key, or correct its name", err, cfg.Migrate.Secret)
}

// openMigration opens a pool for the migrator's role. It does not connect yet.
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

// commandTimeout is for a server that no longer answers: the server's limit ends first.
func commandTimeout(statement time.Duration) time.Duration {
	const margin, none = 30 * time.Second, 24 * 24 * time.Hour // what fits the server's setting
	if statement == 0 {
		return none
	}
	return statement + margin
}

// addLimits adds the flags that take precedence over the variables.
func addLimits(cmd *cobra.Command) {
	for _, l := range limits(new(config.Migrate)) {
		addLimit(cmd, l.flag, l.usage+" (default $"+l.variable+")")
	}
}

// addLimit adds a duration that [overrideLimits] reads.
func addLimit(cmd *cobra.Command, flag, usage string) {
	newDuration(cmd.Flags(), flag, 0, usage+"; a bare number is seconds")
	complete(cmd, flag, "10s", "30s", "1m", "5m")
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

// reporter reports what migrate does: one line per event, or one record per event with
// LOG_FORMAT=json.
type reporter struct {
	out    io.Writer
	log    *slog.Logger // nil for lines
	redact func(string) string
}

func newReporter(cfg *config.Config, log *slog.Logger, out io.Writer) *reporter {
	if cfg.Health.LogFormat == "json" {
		return &reporter{out, log, cfg.Redactor().Redact}
	}
	return &reporter{out, nil, cfg.Redactor().Redact}
}

// failed logs the error that ends the command if LOG_FORMAT=json, and marks it so that it
// is not printed as text as well. Configuration errors are always printed, because the
// format itself may be wrong.
func (r *reporter) failed(err error) error {
	var (
		usage *usageError
		wrong *config.Error
	)
	if err == nil || r.log == nil || errors.As(err, &usage) || errors.As(err, &wrong) {
		return err
	}
	r.log.Error("migrate failed", "error", err.Error())
	return &loggedError{err}
}

func (r *reporter) report(e migrate.Event) {
	took := e.Took.Round(time.Millisecond)
	if r.log != nil && e.Kind == migrate.Retrying {
		r.log.Warn("trying again", "error", r.redact(e.Err.Error()))
		return
	}
	if r.log != nil {
		r.log.Info("migration", "event", string(e.Kind), "file", e.Step.File, "version", e.Step.Version,
			"duration_seconds", e.Took.Seconds(), "holder", e.Holder, "changes", e.Changes)
		return
	}
	switch e.Kind {
	case migrate.Retrying:
		r.say("trying again: %s", r.redact(e.Err.Error()))
	case migrate.Waiting:
		r.say("waiting for another run: %s", e.Holder)
	case migrate.Start:
		r.say("%s ...", e.Step.File)
	case migrate.Adopted:
		r.say("%s adopted in %s, changes: %d", e.Step.File, took, len(e.Changes))
		for _, change := range e.Changes {
			r.say("  %s", change)
		}
	case migrate.Applied, migrate.Undone:
		r.say("%s %s in %s", e.Step.File, e.Kind, took)
	}
}

// done sums up.
func (r *reporter) done(result migrate.Result, took time.Duration) {
	if r.log != nil {
		r.log.Info("migrated", "from", result.From, "to", result.To, "newer", result.Newer, "duration_seconds", took.Seconds())
		return
	}
	switch {
	case result.From == result.To:
		r.say("nothing to do: the database is at version %d", result.To)
	default:
		r.say("from version %d to version %d in %s", result.From, result.To, took.Round(time.Millisecond))
	}
}

// newer reports that the database belongs to a later release and was left unchanged.
func (r *reporter) newer(have, latest int64) {
	if r.log != nil {
		r.log.Warn("database is newer than this program: left as it is", "version", have, "latest", latest)
		return
	}
	r.say("%s", newerText(have, latest))
}

func newerText(have, latest int64) string {
	return fmt.Sprintf("the database is at version %d, newer than this program, which knows %d: left as it is", have, latest)
}

func (r *reporter) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// loggedError is an error that was logged already.
type loggedError struct{ error }

func (e *loggedError) Unwrap() error { return e.error }
