package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/config"
)

const checkLong = `Ask a running sidecar how every service is, whether the Pod is ready, and what to do next.

The services are those that /health lists. The exit code is 1 where one of them is unhealthy,
the Pod is not ready, or an answer is wrong; degraded passes, and is shown. With no --url, the
address and the token are those of HEALTH_ADDR and HEALTH_TOKEN: within the Pod, nothing needs
to be given.

--direct asks no sidecar: it runs each probe once, from the environment, and tells whether a
Pod with this configuration would become ready.

--fleet asks no sidecar either, but the fleet program: for all workloads that it knows. The exit
code is 1 where a workload is unhealthy or unknown, or was not looked at for --max-age.`

// subcommand is one of those of check.
type subcommand struct {
	mode, short, long, example string
	aliases                    []string
}

func checkCommands() []subcommand {
	return []subcommand{
		{
			mode: modeEndpoints, aliases: []string{modeAll}, short: "Exercise every endpoint and judge every answer",
			long: "Exercise every endpoint of a sidecar like a test run, and judge every answer: its code, its\n" +
				"keys, its age, and whether the answers agree. Any 503 fails, with exit code 1.",
			example: "  reims-health check endpoints\n" +
				"  reims-health check endpoints --url https://reims.example --ca-file ca.pem\n" +
				"  reims-health check endpoints --url http://10.0.0.7:8008 --metrics-url http://10.0.0.7:9008",
		},
		{
			mode: modeDetailed, short: "Show all that is known of each service, and how long answers take",
			long: "Show all that is known of each service, how long it took to answer the sidecar's probes, and\n" +
				"how long the sidecar takes to answer. With --direct the probes are run from here.",
			example: "  reims-health check detailed\n" +
				"  reims-health check detailed --count 200\n" +
				"  reims-health check detailed --direct --count 20",
		},
		{
			mode: modeMonitor, short: "Watch the services, live",
			long: "Watch the services: on a terminal a screen that begins with the last hour, and anywhere else\n" +
				"one line per change. The key ? shows what other keys do. With --count it ends after so many\n" +
				"looks, with exit code 1 where any of them failed.",
			example: "  reims-health check monitor\n" +
				"  reims-health check monitor --interval 500ms\n" +
				"  reims-health check monitor --interval 5 --count 12 --output json",
		},
	}
}

func newCheck(from *source) *cobra.Command {
	f := newCheckFlags(from)
	cmd := &cobra.Command{
		Use:        "check",
		SuggestFor: []string{"health", "status", "test", "doctor", "ping"},
		Short:      "Show the state of every service, whether the Pod is ready, and what to do next",
		Long:       checkLong,
		Example: "  reims-health check\n" +
			"  reims-health check --url http://localhost:8008\n" +
			"  reims-health check --direct --env-file .env\n" +
			"  reims-health check --fleet http://localhost:8080",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, f, f.modeOf()) },
	}
	f.add(cmd, modeServices)
	f.addMode(cmd)
	for _, sub := range checkCommands() {
		c := &cobra.Command{
			Use: sub.mode, Aliases: sub.aliases, Short: sub.short, Long: sub.long, Example: sub.example, Args: commandArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, f, sub.mode) },
		}
		f.add(c, sub.mode)
		cmd.AddCommand(c)
	}
	return cmd
}

// checkCommand is one run of the command.
type checkCommand struct {
	*checkSettings
	client  *check.Client
	in      io.Reader
	out     io.Writer // where results go
	stderr  io.Writer // where progress goes
	environ []string
}

func runCheck(cmd *cobra.Command, f *checkFlags, mode string) error {
	s, err := f.settings(mode, cmd.Flags().Changed, display.IsTerminal(cmd.OutOrStdout()))
	if err != nil {
		return err
	}
	c := &checkCommand{
		checkSettings: s, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), environ: config.Environ(),
	}
	if s.direct {
		return c.direct(cmd.Context(), f.from)
	}
	if s.fleet != nil {
		c.client = check.NewClient(*s.fleet)
		return c.run(cmd.Context())
	}
	if err := s.whom(f, c.stderr); err != nil {
		return err
	}
	c.client = check.NewClient(s.client)
	return c.run(cmd.Context())
}

func (c *checkCommand) run(ctx context.Context) error {
	var err error
	switch {
	case c.fleet != nil:
		err = c.workloads(ctx)
	case c.mode == modeDetailed:
		err = c.detailed(ctx)
	case c.mode == modeMonitor:
		err = c.monitor(ctx)
	case c.mode == modeEndpoints:
		err = c.endpoints(ctx)
	default:
		err = c.services(ctx)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

func (c *checkCommand) printer() *display.Printer { return display.NewPrinter(c.out, c.environ) }

// services is check with no subcommand.
func (c *checkCommand) services(ctx context.Context) error {
	stop := c.progress(func() string { return "still asking " + c.client.URL() })
	o, err := c.client.Overview(ctx, c.maxAge)
	stop()
	if err != nil {
		return c.failed(err)
	}
	return c.overview(o)
}

// overview shows what was found, with the verdict, which says why where it is a failure.
func (c *checkCommand) overview(o *check.Overview) error {
	p := c.printer()
	if err := c.result(o, func() error { p.Overview(o); return p.Err() }); err != nil {
		return err
	}
	switch failure := errors.New(o.Verdict); {
	case o.Success:
		return nil
	case c.json:
		return failure
	default:
		return &shownError{failure}
	}
}

// workloads is check with --fleet.
func (c *checkCommand) workloads(ctx context.Context) error {
	stop := c.progress(func() string { return "still asking " + c.client.URL() })
	f, err := c.client.Fleet(ctx, c.maxAge)
	stop()
	if err != nil {
		return c.failed(err)
	}
	p := c.printer()
	if err := c.result(f, func() error { p.Fleet(f); return p.Err() }); err != nil {
		return err
	}
	switch failure := errors.New(f.Verdict); {
	case f.Success:
		return nil
	case c.json:
		return failure
	default:
		return &shownError{failure}
	}
}

// endpoints is the mode of that name.
func (c *checkCommand) endpoints(ctx context.Context) error {
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
func (c *checkCommand) detailed(ctx context.Context) error {
	const requests = 20
	count := c.count
	if count == 0 {
		count = requests
	}
	var done atomic.Int64
	stop := c.progress(func() string { return fmt.Sprintf("%d requests answered", done.Load()) })
	details, err := c.client.Detailed(ctx, check.Measure{
		Count: count, StopAtFailure: c.count == 0, MaxAge: c.maxAge, Done: func(n int) { done.Store(int64(n)) },
	})
	stop()
	if err != nil {
		return c.failed(err)
	}
	return c.details(details)
}

// details shows what was found of each service, and fails where one is down.
func (c *checkCommand) details(d *check.Details) error {
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

// result writes v as JSON if --output asks for that, or calls show.
func (c *checkCommand) result(v any, show func() error) error {
	if c.json {
		return writeJSON(c.out, v)
	}
	return show()
}

// failed returns the error of a run without a result. With --output=json it also writes
// the error as JSON.
func (c *checkCommand) failed(err error) error {
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

// progressPeriod is the time between two lines of progress.
const progressPeriod = 3 * time.Second

// progress prints text every progressPeriod until stop is called.
func (c *checkCommand) progress(text func() string) (stop func()) {
	var (
		done    = make(chan struct{})
		began   = time.Now()
		talking sync.WaitGroup
	)
	talking.Go(func() {
		tick := time.NewTicker(progressPeriod)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintf(c.stderr, "... %s (%s)\n", text(), time.Since(began).Round(time.Second))
			}
		}
	})
	return func() {
		close(done)
		talking.Wait()
	}
}
