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
	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/config"
)

const checkLong = `Ask a running sidecar and judge what it answers.

  all       exercises every endpoint, like a test run (the default)
  detailed  shows each service with its details, and how long answers take
  monitor   watches: live on a terminal, one line per change anywhere else

The services are those that /health lists. Any 503 fails, with exit code 1;
degraded passes and is shown. With no --url, the address and the token are those
of HEALTH_ADDR and HEALTH_TOKEN: within the Pod, nothing needs to be given.`

func newCheck(from *source) *cobra.Command {
	f := &checkFlags{from: from}
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
	s, err := f.settings(mode, cmd.Flags().Changed)
	if err != nil {
		return err
	}
	c := &checkCommand{
		checkSettings: s, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), environ: config.Environ(),
	}
	if s.direct {
		return c.direct(cmd.Context(), f.from)
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

func (c *checkCommand) printer() *display.Printer { return display.NewPrinter(c.out, c.environ) }

// all is the mode of that name.
func (c *checkCommand) all(ctx context.Context) error {
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
		Count: count, MaxAge: c.maxAge, Done: func(n int) { done.Store(int64(n)) },
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

// compare asks the predecessor as well, and fails if there is an unintended difference.
func (c *checkCommand) compare(ctx context.Context) error {
	predecessor := check.NewClient(*c.old)
	stop := c.progress(func() string { return "comparing " + predecessor.URL() + " and " + c.client.URL() })
	comparison, err := check.Compare(ctx, predecessor, c.client)
	stop()
	if err != nil {
		return c.failed(err)
	}
	p := c.printer()
	if err := c.result(comparison, func() error { p.Comparison(comparison); return p.Err() }); err != nil {
		return err
	}
	if !comparison.Success {
		return fmt.Errorf("%d differences are not meant", comparison.Unmeant)
	}
	return nil
}

// monitor takes looks until it is asked to stop, which is not a failure, or until it took
// as many as --count says. With --count it fails if any look failed, even if stopped early.
func (c *checkCommand) monitor(ctx context.Context) error {
	var (
		watch check.Watch
		began = time.Now()
		err   error
	)
	p := c.printer()
	switch {
	case c.json:
		err = c.looks(ctx, &watch, noop, c.record)
	case display.CanRedraw(c.out, c.environ):
		err = c.live(ctx, &watch)
		p.Watched(&watch, c.client.URL(), time.Since(began))
	default:
		err = c.looks(ctx, &watch, noop, func(l *check.Look, changes []check.Change) error {
			if watch.Rounds == 1 {
				p.State(l)
			} else {
				p.Changes(changes)
			}
			return p.Err()
		})
	}
	if err == nil && c.count > 0 && watch.Failed > 0 {
		err = fmt.Errorf("%d of %d looks failed", watch.Failed, watch.Rounds)
	}
	return err
}

// live shows the looks on the terminal.
func (c *checkCommand) live(ctx context.Context, watch *check.Watch) error {
	screen := display.NewScreen(c.in, c.out, c.environ, c.client.URL(), c.interval)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		defer stop()
		return screen.Run(ctx)
	})
	group.Go(func() error {
		defer stop()
		return c.looks(ctx, watch, screen.Ask, func(l *check.Look, _ []check.Change) error {
			screen.Show(l)
			return nil
		})
	})
	return group.Wait()
}

// record writes a look that saw something new as one line of JSON.
func (c *checkCommand) record(l *check.Look, changes []check.Change) error {
	if len(changes) == 0 {
		return nil
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		*check.Look
		Changes []check.Change `json:"changes"`
	}{l, changes})
}

// noop is called before a request where nothing is shown meanwhile.
func noop() {}

// looks takes a look every interval until ctx is done or count is reached. It calls asks
// before each look, and saw with its result.
func (c *checkCommand) looks(ctx context.Context, watch *check.Watch, asks func(), saw func(*check.Look, []check.Change) error) error {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	for {
		asks()
		l := c.client.Look(ctx, c.maxAge)
		if ctx.Err() != nil {
			return nil // asked to stop
		}
		if err := saw(l, watch.See(l)); err != nil || watch.Rounds == c.count {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
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
