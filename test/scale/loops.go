package scale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/cli"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// check is one check of one service by one loop.
type check struct {
	loop    int
	service string
	started time.Time
	ended   time.Time // zero while it runs
	reason  health.Reason
}

// journal records every check of all loops.
type journal struct {
	mu     sync.Mutex
	checks []check
}

func (j *journal) begin(loop int, service string) (number int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.checks = append(j.checks, check{loop: loop, service: service, started: time.Now()})
	return len(j.checks) - 1
}

func (j *journal) end(number int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &j.checks[number]
	c.ended = time.Now()
	if err != nil {
		c.reason = reasonOf(err)
	}
}

// between returns the checks that began within a time, in that order, of one service or, if that is
// empty, of all.
func (j *journal) between(service string, from, to time.Time) []check {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []check
	for _, c := range j.checks {
		if (service == "" || c.service == service) && !c.started.Before(from) && c.started.Before(to) {
			found = append(found, c)
		}
	}
	return found
}

// counts returns how many checks of a service have begun and how many have ended.
func (j *journal) counts(service string) (begun, ended int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.checks {
		if c.service != service {
			continue
		}
		begun++
		if !c.ended.IsZero() {
			ended++
		}
	}
	return begun, ended
}

// recorder is a checker whose checks are recorded.
type recorder struct {
	health.Checker
	journal *journal
	loop    int
	service string
}

// Check implements [health.Checker].
func (r *recorder) Check(ctx context.Context) (health.Observation, error) {
	number := r.journal.begin(r.loop, r.service)
	seen, err := r.Checker.Check(ctx)
	r.journal.end(number, err)
	return seen, err
}

// Redial implements [health.Redialer].
func (r *recorder) Redial() {
	if c, ok := r.Checker.(health.Redialer); ok {
		c.Redial()
	}
}

// reasonOf returns the reason of a check's error.
func reasonOf(err error) health.Reason {
	if fault, ok := errors.AsType[*health.Fault](err); ok {
		return cmp.Or(fault.Reason, health.ReasonError)
	}
	return health.ReasonError
}

// loops are the checks of so many sidecars, as serve runs them.
type loops struct {
	journal  journal
	services []*health.Service // of all
	monitors []*health.Monitor
	stop     context.CancelFunc
	group    errgroup.Group
	close    []func()
}

// startLoops starts them, one per ramp. The caller stops them.
func startLoops(ctx context.Context, n int, ramp time.Duration, vars []servers.Var) (*loops, error) {
	ctx, stop := context.WithCancel(ctx)
	l := &loops{stop: stop}
	for i := range n {
		if err := l.add(i, n, environ(vars)); err != nil {
			l.end()
			return nil, err
		}
	}
	for i, m := range l.monitors {
		l.group.Go(func() error {
			if err := poll.Pause(ctx, time.Duration(i)*ramp); err != nil {
				return err
			}
			return m.Start(ctx)
		})
	}
	return l, nil
}

func environ(vars []servers.Var) (all []string) {
	for _, v := range vars {
		all = append(all, v.Name+"="+v.Value)
	}
	return all
}

func (l *loops) add(i, n int, environ []string) error {
	kinds := registry.Kinds()
	cfg, _, err := config.Load(config.Options{Environ: environ, Services: kinds.Services()})
	if err != nil {
		return err
	}
	services, closeAll, err := cli.NewServices(cfg, kinds, func() int { return n }, slog.New(slog.DiscardHandler))
	l.close = append(l.close, closeAll)
	if err != nil {
		return err
	}
	for _, s := range services {
		s.Checker = &recorder{Checker: s.Checker, journal: &l.journal, loop: i, service: s.Name}
	}
	monitor, err := health.NewMonitor(services)
	if err != nil {
		return err
	}
	l.monitors, l.services = append(l.monitors, monitor), append(l.services, services...)
	return nil
}

// end stops the loops and closes their connections.
func (l *loops) end() {
	l.stop()
	_ = l.group.Wait() // names the checks that were given up
	for _, closeAll := range l.close {
		closeAll()
	}
}

// unhealthy counts the loops that do not find one service, or with "" any of them, healthy, and
// says why one of them does not.
func (l *loops) unhealthy(service string) (count int, example string) {
	for _, m := range l.monitors {
		results := m.View().Results()
		bad := slices.IndexFunc(results, func(r health.Result) bool {
			return (service == "" || r.Service.Name == service) && r.Status != health.Healthy
		})
		if bad >= 0 {
			count++
			example = fmt.Sprintf("%s: %s", results[bad].Service.Name, results[bad].Message())
		}
	}
	return count, example
}
