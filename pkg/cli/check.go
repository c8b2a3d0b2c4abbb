package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/config"
)

const checkLong = `Ask a running sidecar and judge what it answers.

  all       exercises every endpoint, like a test run (the default)
  detailed  shows each service with its details, and how long answers take
  monitor   watches: live on a terminal, a line a change anywhere else

The services are those that /health lists. Any 503 fails, with exit code 1;
degraded passes and is shown. With no --url, the address and the token are those
of HEALTH_ADDR and HEALTH_TOKEN: within the Pod, nothing needs to be given.`

func newCheck(envFile *string) *cobra.Command {
	f := &checkFlags{envFile: envFile}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Ask a running sidecar and judge what it answers",
		Long:  checkLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, f, f.mode) },
	}
	f.add(cmd.PersistentFlags())
	f.addMode(cmd.Flags())
	for _, mode := range []struct{ name, short string }{
		{modeAll, "Exercise every endpoint and judge every answer"},
		{modeDetailed, "Show each service's details, and how long answers take"},
		{modeMonitor, "Watch the services, live"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: mode.name, Short: mode.short, Long: checkLong, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, f, mode.name) },
		})
	}
	return cmd
}

// checking is one run of the command.
type checking struct {
	*checkSettings
	client  *check.Client
	in      io.Reader
	out     io.Writer // where results go
	stderr  io.Writer // where progress goes
	environ []string
}

func runCheck(cmd *cobra.Command, f *checkFlags, mode string) error {
	s, err := f.settings(mode, cmd.Flags().Changed)
	if err != nil {
		return err
	}
	c := &checking{
		checkSettings: s, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), environ: config.Environ(),
	}
	if s.direct {
		return c.direct(cmd.Context(), *f.envFile)
	}
	if err := s.whom(f, c.stderr); err != nil {
		return err
	}
	c.client = check.NewClient(s.client)
	return c.run(cmd.Context())
}

func (c *checking) run(ctx context.Context) error {
	var err error
	switch {
	case c.old != nil:
		err = c.compare(ctx)
	case c.mode == modeDetailed:
		err = c.detailed(ctx)
	case c.mode == modeMonitor:
		err = c.monitor(ctx)
	default:
		err = c.all(ctx)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

func (c *checking) printer() *display.Printer { return display.NewPrinter(c.out, c.environ) }

// all is the mode of that name.
func (c *checking) all(ctx context.Context) error {
	p := c.printer()
	suite := check.Suite{MaxAge: c.maxAge}
	if c.metrics != nil {
		suite.Metrics = check.NewClient(*c.metrics)
	}
	if !c.json {
		suite.Done = p.Check
	}
	stop := c.progress(func() string { return "still asking " + c.client.URL() })
	report, err := c.client.All(ctx, suite)
	stop()
	if err != nil {
		return c.failed(err)
	}
	if err := c.result(report, func() error { p.Summary(report); return p.Err() }); err != nil {
		return err
	}
	if !report.Success {
		return fmt.Errorf("check %s: %d of %d checks failed", report.URL, report.Failed, len(report.Checks))
	}
	return nil
}

// detailed is the mode of that name.
func (c *checking) detailed(ctx context.Context) error {
	const requests = 20
	count := c.count
	if count == 0 {
		count = requests
	}
	var done atomic.Int64
	stop := c.progress(func() string { return fmt.Sprintf("%d requests answered", done.Load()) })
	details, err := c.client.Detailed(ctx, check.Measure{
		Count: count, MaxAge: c.maxAge, Done: func(n int) { done.Store(int64(n)) },
	})
	stop()
	if err != nil {
		return c.failed(err)
	}
	return c.details(details)
}

// details shows what was found of each service, and fails where one is down.
func (c *checking) details(d *check.Details) error {
	p := c.printer()
	if err := c.result(d, func() error { p.Details(d); return p.Err() }); err != nil {
		return err
	}
	return down(d)
}

// down is the error for what has failed, or nil.
func down(d *check.Details) error {
	if d.Success {
		return nil
	}
	n := 0
	for _, s := range d.Services {
		if s.Failed > 0 {
			n++
		}
	}
	if n == 0 {
		return fmt.Errorf("a Pod with this configuration would not become ready: %s", strings.Join(d.NotReady, "; "))
	}
	return fmt.Errorf("%d of %d services failed", n, len(d.Services))
}

// result writes v as JSON, where that was asked for, or has it shown.
func (c *checking) result(v any, show func() error) error {
	if c.json {
		return writeJSON(c.out, v)
	}
	return show()
}

// failed passes on the error of a run that came to nothing, and writes it as JSON too,
// where that is what a script waits for.
func (c *checking) failed(err error) error {
	if !c.json {
		return err
	}
	result := map[string]any{"success": false, "error": err.Error()}
	if c.client != nil { // with --direct there is none
		result["url"] = c.client.URL()
	}
	return errors.Join(err, writeJSON(c.out, result))
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
