package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/logqueue"
)

// Exit codes.
const (
	exitGood   = 0
	exitFailed = 1 // a check or a step failed
	exitUsage  = 2 // bad usage or configuration
)

// Run executes one command line of a program that knows these kinds of dependencies, and
// returns the exit code.
func Run(ctx context.Context, kinds dependency.Kinds, args []string, stdout, stderr io.Writer, build Build) int {
	var understood atomic.Bool // a command that was given up may still set it
	logs := logqueue.New(stderr)
	root := newRoot(&understood, kinds, logs, build.OrRecorded())
	root.SetArgs(args)
	root.SetOut(stdout)
	execute := root.ExecuteContext
	if cmd, _, err := root.Find(args); err != nil || patienceOf(cmd) == 0 {
		execute = func(ctx context.Context) error { return interruptible(ctx, root.ExecuteContext) }
	} else {
		signal.Ignore(syscall.SIGPIPE) // losing the reader of the log loses only log lines
		logs.Start()
		defer logs.Close(patienceOf(cmd))
		stderr = logs
	}
	root.SetErr(stderr)
	err := execute(ctx)
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errGivenUp):
		return exitFailed
	}
	var (
		usage  *usageError
		wrong  *config.Error
		logged *loggedError
		shown  *shownError
	)
	if !errors.As(err, &logged) && !errors.As(err, &shown) {
		fmt.Fprintf(stderr, "reims-health: %v\n", err)
	}
	if !understood.Load() || errors.As(err, &usage) || errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// stopPatience is how long a command may take to end once it is told to: longer than
// closing a session with the database takes.
const stopPatience = 6 * time.Second

// interruptible runs a command whose output is not queued. A write to a pipe that nothing
// reads ignores ctx, so the command is given up, without a word, stopPatience after ctx is
// done.
func interruptible(ctx context.Context, execute func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- execute(ctx) }() // waited for, or ended by the process's exit
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errGivenUp
	}
}

var errGivenUp = errors.New("given up: nothing reads the output")

// shownError is a failure that the command's output has told.
type shownError struct{ error }

// usageError is a flag's value that cannot be used.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// newRoot returns the command line. understood is set once flags and arguments
// have been accepted: an error before that is bad usage.
// Commands that show figures of the log take them from logs.
func newRoot(understood *atomic.Bool, kinds dependency.Kinds, logs *logqueue.Queue, build Build) *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "reims-health",
		Short: "Check the services that the REIMS API depends on",
		Long: "Check the services that the REIMS API depends on.\n\n" +
			"Exit codes: 0 success, 1 a check or a step failed, 2 wrong flags or configuration.",
		Example: "  reims-health serve --env-file .env\n" +
			"  reims-health check\n" +
			"  reims-health migrate status",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return build.Print(cmd.OutOrStdout(), programName)
			}
			return cmd.Help()
		},
		PersistentPreRun: func(*cobra.Command, []string) {
			understood.Store(true)
		},
	}
	from := &source{kinds: kinds}
	root.PersistentFlags().StringVar(&from.envFile, "env-file", "", "read variables from this file; variables of the environment override it")
	completeFile(root, "env-file")
	// The library's own flag would print by a template, and text/template keeps the linker from
	// leaving out methods that nothing calls: 11 MB of them.
	root.Flags().BoolVar(&version, "version", false, "print the version, as the command of that name does")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newServe(from, logs, build), newConfig(from), newCheck(from), newMigrate(from), newWait(from), newVersion(build))
	addCompletion(root)
	return root
}

// How long the commands that do not depend on the reader of their log wait at their end
// until the log is written. serve must exit within five seconds of SIGTERM; the others wait
// for a slow reader rather than lose lines. All other commands exist for their output:
// they block on a slow reader, and end if it is gone.
const (
	queuedOutput  = "queued-output" // annotation
	servePatience = 300 * time.Millisecond
	stepPatience  = 5 * time.Second
)

// queued marks a command whose log is queued.
func queued(patience time.Duration) map[string]string {
	return map[string]string{queuedOutput: patience.String()}
}

// patienceOf returns how long a command waits for its log, or 0 if its log is not queued.
func patienceOf(cmd *cobra.Command) time.Duration {
	patience, err := time.ParseDuration(cmd.Annotations[queuedOutput])
	if err != nil {
		return 0
	}
	return patience
}

// newLogger returns the logger that the configuration asks for, with secrets redacted. The
// queue reports lost lines in the same format.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	queue, isQueue := w.(*logqueue.Queue)
	terminal := display.IsTerminal(w)
	if isQueue {
		terminal = display.IsTerminal(queue.Unwrap())
	}
	options := &slog.HandlerOptions{Level: cfg.Health.Level()}
	handler := func(w io.Writer) slog.Handler {
		if cfg.Health.LogJSON(terminal) {
			return slog.NewJSONHandler(w, options)
		}
		return slog.NewTextHandler(w, options)
	}
	if isQueue {
		queue.SetNotice(func(lost uint64) []byte {
			var line bytes.Buffer
			slog.New(handler(&line)).Error("log lines were lost here: they could not be written in time", "lines", lost)
			return line.Bytes()
		})
	}
	return slog.New(cfg.Redactor().Handler(handler(w)))
}

// addOutput adds --output, which accepts people (the default) or json. Any other value is
// an error before the command runs.
func addOutput(cmd *cobra.Command, output *string, people string) {
	cmd.Flags().StringVarP(output, "output", "o", people, people+" or json")
	complete(cmd, "output", people, "json")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *output != people && *output != "json" {
			return &usageError{fmt.Sprintf("--output %q: want %s or json", *output, people)}
		}
		return nil
	}
}

// redacted removes secrets from an error's text. Errors of the configuration never
// contain one.
func redacted(cfg *config.Config, err error) error {
	var wrong *config.Error
	if err == nil || errors.As(err, &wrong) {
		return err
	}
	return &redactedError{cfg.Redactor().Redact(err.Error()), err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }
