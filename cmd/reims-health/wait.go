package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/logqueue"
)

// waitInterval is the time between two checks, waitRepeat that between two lines that
// say the same, and waitSchema the target that is
// not a service but the database's schema.
const (
	waitInterval = time.Second
	waitRepeat   = 30 * time.Second
	waitSchema   = "schema"
)

func newWait(envFile *string) *cobra.Command {
	var (
		targets []string
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:         "wait",
		Annotations: queued(stepPatience),
		Short:       "Wait until services answer and the schema is new enough",
		Long: "Wait until each target is there, then exit with 0: for init containers.\n" +
			"The targets are database, redis, minio, ollama (it answers and lets us in) and schema (the\n" +
			"database's schema is not older than this release needs; with DATABASE_SCHEMA_CHECK=off only\n" +
			"where it is asked for). A line is printed for each change of the reason, and every 30 s.",
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			return checkWait(targets, timeout)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(*envFile, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("for") && !bool(cfg.Database.SchemaCheck) {
				targets = []string{"database"}
			}
			ctx := cmd.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("gave up after %s", timeout))
				defer cancel()
			}
			out := logqueue.New(cmd.OutOrStdout())
			out.Start()
			defer out.Close(stepPatience)
			return wait(ctx, cfg, targets, out, log)
		},
	}
	cmd.Flags().StringSliceVar(&targets, "for", []string{"database", waitSchema}, "what to wait for: database, schema, redis, minio, ollama")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up after this time, with exit code 1; 0 never does")
	return cmd
}

func checkWait(targets []string, timeout time.Duration) error {
	known := []string{"database", waitSchema, "redis", "minio", "ollama"}
	for _, t := range targets {
		if !slices.Contains(known, t) {
			return &usageError{fmt.Sprintf("--for %q: want some of %s", t, strings.Join(known, ", "))}
		}
	}
	if len(targets) == 0 {
		return &usageError{"--for is empty: want some of " + strings.Join(known, ", ")}
	}
	if timeout < 0 {
		return &usageError{fmt.Sprintf("--timeout %s: want a duration of 0 or above", timeout)}
	}
	return nil
}

// wait watches the services that the targets need until all targets are there.
func wait(ctx context.Context, cfg *config.Config, targets []string, out io.Writer, log *slog.Logger) error {
	services, closeClients, err := newServices(forWaiting(cfg, targets), log)
	defer closeClients()
	if err != nil {
		return err
	}
	for _, s := range services {
		s.Interval, s.SuccessThreshold, s.DegradedLatency = waitInterval, 1, 0
	}
	w := &waiter{
		targets: targets, out: out, began: time.Now(), repeat: waitRepeat,
		said: make(map[string]string), printed: make(map[string]time.Time),
	}
	monitor := health.NewMonitor(services)
	running, stop := context.WithCancel(ctx)
	defer stop()
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return monitor.Start(running) })
	group.Go(func() error {
		defer stop()
		return w.watch(running, monitor.Updates())
	})
	if err := group.Wait(); err != nil && !w.met {
		return fmt.Errorf("wait for %s: %w%s", strings.Join(targets, ", "), cause(ctx, err), w.missing())
	}
	return nil
}

// forWaiting is the configuration with no more than the targets need.
func forWaiting(cfg *config.Config, targets []string) *config.Config {
	c := *cfg
	c.Database.AppConnections, c.Database.SchemaCheck = false, true
	c.Health.Services = nil
	for _, t := range targets {
		if t == waitSchema {
			t = "database"
		}
		if !slices.Contains(c.Health.Services, t) {
			c.Health.Services = append(c.Health.Services, t)
		}
	}
	return &c
}

// cause says what ended the context, if that is what ended the wait.
func cause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), context.Canceled):
		return errors.New("interrupted")
	default:
		return context.Cause(ctx)
	}
}
