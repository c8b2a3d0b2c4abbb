package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/logqueue"
)

// Exit codes.
const (
	exitGood   = 0
	exitFailed = 1 // a check or a step failed
	exitUsage  = 2 // bad usage or configuration
)

// Run executes one command line and returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, build Build) int {
	understood := false
	logs := logqueue.New(stderr)
	root := newRoot(&understood, logs, build.orRecorded())
	root.SetArgs(args)
	root.SetOut(stdout)
	if cmd, _, err := root.Find(args); err == nil && patienceOf(cmd) > 0 {
		signal.Ignore(syscall.SIGPIPE) // a reader that has gone costs lines of the log, and nothing else
		logs.Start()
		defer logs.Close(patienceOf(cmd))
		stderr = logs
	}
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitGood
	}
	var (
		usage  *usageError
		wrong  *config.Error
		logged *loggedError
	)
	if !errors.As(err, &logged) {
		fmt.Fprintf(stderr, "reims-health: %v\n", err)
	}
	if !understood || errors.As(err, &usage) || errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// usageError is a flag's value that cannot be used.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// newRoot returns the command line. understood is set once flags and arguments
// have been accepted: an error before that is bad usage.
// Commands that show figures of the log take them from logs.
func newRoot(understood *bool, logs *logqueue.Queue, build Build) *cobra.Command {
	root := &cobra.Command{
		Use:           "reims-health",
		Short:         "Health of what the REIMS API depends on",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			*understood = true
		},
	}
	var envFile string
	root.PersistentFlags().StringVar(&envFile, "env-file", "", "read variables from this file; the environment's own win over it")
	root.AddCommand(newServe(&envFile, logs, build), newConfig(&envFile), newCheck(&envFile), newMigrate(&envFile), newWait(&envFile), newVersion(build))
	return root
}
