package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/migrate"
)

// reporter tells what migrate does: a line an event, or a record with LOG_FORMAT=json.
type reporter struct {
	out   io.Writer
	log   *slog.Logger // nil for lines
	scrub func(string) string
}

func newReporter(cfg *config.Config, log *slog.Logger, out io.Writer) *reporter {
	if cfg.Health.LogFormat == "json" {
		return &reporter{out, log, cfg.Redactor().Scrub}
	}
	return &reporter{out, nil, cfg.Redactor().Scrub}
}

// failed writes the error that ends the command as a record, where records are asked
// for, and then keeps it from being printed as text as well. Bad configuration is
// printed: it may be the format's own.
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
		r.log.Warn("trying again", "error", r.scrub(e.Err.Error()))
		return
	}
	if r.log != nil {
		r.log.Info("migration", "event", string(e.Kind), "file", e.Step.File, "version", e.Step.Version,
			"duration_seconds", e.Took.Seconds(), "holder", e.Holder, "changes", e.Changes)
		return
	}
	switch e.Kind {
	case migrate.Retrying:
		r.say("trying again: %s", r.scrub(e.Err.Error()))
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

// newer says that nothing was done to a database of a later release.
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

// loggedError is an error that the log has already.
type loggedError struct{ error }

func (e *loggedError) Unwrap() error { return e.error }
