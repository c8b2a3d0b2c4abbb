package cli

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
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/logqueue"
)

const (
	waitInterval = time.Second      // between two checks
	waitRepeat   = 30 * time.Second // between two lines that say the same
	waitReady    = "ready"
)

func newWait(from *source) *cobra.Command {
	var (
		names   []string
		timeout *time.Duration
	)
	known := waitTargets(from.kinds)
	cmd := &cobra.Command{
		Use:         "wait",
		Annotations: queued(stepPatience),
		Short:       "Wait until services answer and the schema is new enough",
		Long: "Wait until every target is ready, then exit with 0. For init containers.\n" +
			known.help() +
			"A line is printed for each change of the reason, and every 30 s.",
		Example: "  reims-health wait\n" +
			"  reims-health wait --for database,redis --timeout 2m",
		Args: commandArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if *timeout < 0 {
				return &usageError{fmt.Sprintf("--timeout %s: want a duration of 0 or above", *timeout)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := from.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			known := known.with(cfg.Services)
			if !cmd.Flags().Changed("for") {
				names = known.wanted(cfg.Services)
			}
			if err := checkWait(known, names); err != nil {
				return err
			}
			ctx := cmd.Context()
			if *timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("gave up after %s", *timeout))
				defer cancel()
			}
			out := logqueue.New(cmd.OutOrStdout())
			out.Start()
			defer out.Close(stepPatience)
			return wait(ctx, cfg, from.kinds, known.named(names), out, log)
		},
	}
	cmd.Flags().StringSliceVar(&names, "for", known.wanted(from.kinds.Services()), "what to wait for: "+strings.Join(known.names(), ", ")+", and names that HEALTH_SERVICES lists besides")
	timeout = newDuration(cmd.Flags(), "timeout", 0, "give up after this time, with exit code 1; a bare number is seconds, 0 means never")
	completeList(cmd, "for", known.names())
	complete(cmd, "timeout", "30s", "2m", "10m")
	return cmd
}

// target is something to wait for: a service or, if state is not nil, a part of a service
// such as its schema.
type target struct {
	name, service string
	help          string
	wanted        func(dependency.Settings) bool // by default; nil for never
	state         func(health.Result) (there bool, text string)
}

type targets []target

// waitTargets returns the service of each kind, followed by its parts. A service is waited
// for by default if it has parts.
func waitTargets(kinds dependency.Kinds) targets {
	var services, others targets
	for _, k := range kinds {
		if k.Service == "" {
			continue
		}
		t := target{name: k.Service, service: k.Service}
		if len(k.Targets) > 0 {
			t.wanted = func(dependency.Settings) bool { return true }
		}
		services = append(services, t)
		for _, other := range k.Targets {
			others = append(others, target{other.Name, k.Service, other.Help, other.Default, other.State})
		}
	}
	return append(services, others...)
}

// with adds the services that NAME_CHECK defines.
func (ts targets) with(services []*config.Service) targets {
	ts = slices.Clone(ts)
	for _, s := range services {
		if s.Named {
			ts = append(ts, target{name: s.Name, service: s.Name})
		}
	}
	return ts
}

func (ts targets) names() []string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.name
	}
	return names
}

func (ts targets) named(names []string) targets {
	var named targets
	for _, name := range names {
		for _, t := range ts {
			if t.name == name {
				named = append(named, t)
			}
		}
	}
	return named
}

// wanted returns the names of the targets that services with these settings are waited for
// by default.
func (ts targets) wanted(services []*config.Service) []string {
	var names []string
	for _, t := range ts {
		i := slices.IndexFunc(services, func(s *config.Service) bool { return s.Name == t.service })
		if i < 0 || t.wanted == nil {
			continue
		}
		if settings, err := settingsOf(services[i]); err == nil && t.wanted(settings) {
			names = append(names, t.name)
		}
	}
	return names
}

// help says what the targets are.
func (ts targets) help() string {
	var services []string
	var others strings.Builder
	for _, t := range ts {
		if t.state == nil {
			services = append(services, t.name)
		} else {
			fmt.Fprintf(&others, "  %s: %s\n", t.name, t.help)
		}
	}
	return "The targets are\n  " + strings.Join(services, ", ") + ", or a service that\n  NAME_CHECK defines: it answers and lets us in\n" + others.String()
}

func checkWait(known targets, names []string) error {
	want := strings.Join(known.names(), ", ")
	for _, name := range names {
		if !slices.Contains(known.names(), name) {
			return &usageError{fmt.Sprintf("--for %q: want some of %s", name, want)}
		}
	}
	if len(names) == 0 {
		return &usageError{"--for is empty: want some of " + want}
	}
	return nil
}

// wait watches the services that the targets need until all targets are ready.
func wait(ctx context.Context, cfg *config.Config, kinds dependency.Kinds, targets targets, out io.Writer, log *slog.Logger) error {
	cfg, err := forWaiting(cfg, targets)
	if err != nil {
		return err
	}
	services, closeClients, err := NewServices(cfg, kinds, nil, log)
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
	monitor, err := health.NewMonitor(services)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return monitor.Start(running) })
	group.Go(func() error {
		defer stop()
		return w.watch(running, monitor.Updates())
	})
	if err := group.Wait(); err != nil && !w.met {
		return fmt.Errorf("wait for %s: %w%s", strings.Join(targets.names(), ", "), cause(ctx, err), w.missing())
	}
	return nil
}

// forWaiting reduces the configuration to what the targets need.
func forWaiting(cfg *config.Config, targets targets) (*config.Config, error) {
	c := *cfg
	c.Services, c.Health.Services = nil, nil
	for _, t := range targets {
		if slices.Contains(c.Health.Services, t.service) {
			continue
		}
		s, err := cfg.Service(t.service)
		if err != nil {
			return nil, err
		}
		waiting := *s
		if settings, ok := s.Settings.(dependency.Waiter); ok {
			waiting.Settings = settings.ForWait()
		}
		c.Services = append(c.Services, &waiting)
		c.Health.Services = append(c.Health.Services, s.Name)
	}
	return &c, nil
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

// waiter prints the state of each target: one line per change.
type waiter struct {
	targets targets
	out     io.Writer
	began   time.Time
	repeat  time.Duration     // from one line to the next that says the same
	said    map[string]string // by target
	printed map[string]time.Time
	met     bool // every target is there
}

// watch returns when every target is ready, or with the context's error.
func (w *waiter) watch(ctx context.Context, updates <-chan *health.View) error {
	tick := time.NewTicker(w.repeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			w.remind()
		case v := <-updates:
			if w.met = w.see(v); w.met {
				return nil
			}
		}
	}
}

// see reports whether every target is ready.
func (w *waiter) see(v *health.View) bool {
	all := true
	for _, target := range w.targets {
		state := w.state(v, target)
		all = all && state == waitReady
		if state == "" || state == w.said[target.name] {
			continue
		}
		w.said[target.name], w.printed[target.name] = state, time.Now()
		fmt.Fprintf(w.out, "%s: %s (%s)\n", target.name, state, time.Since(w.began).Round(100*time.Millisecond))
	}
	return all
}

// remind prints that each missing target is still waited for, unless the target was
// printed recently.
func (w *waiter) remind() {
	for _, target := range w.targets.names() {
		if state := w.said[target]; state != waitReady && time.Since(w.printed[target]) >= w.repeat/2 {
			w.printed[target] = time.Now()
			fmt.Fprintf(w.out, "%s: still waiting: %s (%s)\n", target, orNoAnswer(state), time.Since(w.began).Round(100*time.Millisecond))
		}
	}
}

// missing lists the targets that are not ready, with the reason.
func (w *waiter) missing() string {
	var b strings.Builder
	for _, target := range w.targets.names() {
		if state := w.said[target]; state != waitReady {
			fmt.Fprintf(&b, "\n  %s: %s", target, orNoAnswer(state))
		}
	}
	return b.String()
}

func orNoAnswer(state string) string {
	if state == "" {
		return "no answer yet"
	}
	return state
}

// state returns waitReady, or what the target is waiting for; empty while nothing is
// known.
func (w *waiter) state(v *health.View, t target) string {
	r, ok := v.Service(t.service)
	switch {
	case !ok || r.Status == health.Unknown:
		return ""
	case t.state != nil:
		return w.ofService(r, t)
	case r.OK():
		return waitReady
	default:
		return string(r.Reason()) + ": " + r.Message()
	}
}

// ofService returns the state of a part of a service. It includes why the service does not
// answer, unless the service is itself a target.
func (w *waiter) ofService(r health.Result, t target) string {
	there, text := t.state(r)
	switch {
	case there:
		return waitReady
	case text != "":
		return text
	case !slices.Contains(w.targets.names(), t.service) && r.Reason() != "":
		return "waiting for the " + t.service + ": " + string(r.Reason()) + ": " + r.Message()
	default:
		return "waiting for the " + t.service
	}
}
