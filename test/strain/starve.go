package strain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// The chart's probes of the sidecar.
var (
	livenessTiming  = timing{period: 10 * time.Second, timeout: 5 * time.Second, threshold: 3}
	readinessTiming = timing{period: 2 * time.Second, timeout: time.Second, threshold: 2}
)

// StarveOptions say how little the program gets.
type StarveOptions struct {
	Options
	// CPU is its quota in thousandths of a processor.
	CPU int
}

// starve is one run.
type starve struct {
	StarveOptions
	sidecar     *sidecar
	group       *cgroup
	live, ready Probes
	ages        map[string][]time.Duration // of results, by service, at each scrape
	stale       int                        // of them, how many results were too old
	last        metrics
	began       time.Time
}

// Starve runs the program with a quota of processor time, on a machine that other processes keep full, while all servers
// are well and have the processors to themselves when they want them. It writes a table, and returns an error where the
// program blamed a server, or the kubelet would have restarted it or taken the Pod out of the Service. It needs root and
// cgroups, see newCgroup.
func Starve(ctx context.Context, o StarveOptions, w io.Writer) (err error) {
	own, err := newCgroup("servers", limits{request: ownShare})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.leave(), own.removed()) }()
	if err := own.enter(); err != nil {
		return err
	}
	s := &starve{StarveOptions: o, ages: map[string][]time.Duration{}}
	if s.group, err = newCgroup("sidecar", limits{request: 10, limit: o.CPU}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.group.removed()) }()
	return servers.UseSet(ctx, o.Progress, func(_ string, set []servers.Server) (err error) {
		end, err := fillMachine()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		began := time.Now()
		if s.sidecar, err = serve(o.Options, environment(set), s.group.inside()...); err != nil {
			return err
		}
		defer s.sidecar.Kill()
		o.Progress(fmt.Sprintf("serves after %s", time.Since(began).Round(100*time.Millisecond)))
		if err := s.run(ctx); err != nil {
			return err
		}
		return s.report(w)
	})
}

// removed removes the group once its processes have ended.
func (g *cgroup) removed() (err error) {
	poll.Poll(context.Background(), 10*time.Second, func() bool { err = g.remove(); return err == nil })
	return err
}

// fillMachine starts two processes per processor that never rest, in a group with the share of a whole processor.
func fillMachine() (end func() error, err error) {
	group, err := newCgroup("others", limits{request: 1000})
	if err != nil {
		return nil, err
	}
	var others []*exec.Cmd
	end = func() error {
		for _, cmd := range others {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		return group.removed()
	}
	for range 2 * runtime.NumCPU() {
		command := append(group.inside(), "/bin/sh", "-c", "while :; do :; done")
		cmd := exec.Command(command[0], command[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return nil, errors.Join(err, end())
		}
		others = append(others, cmd)
	}
	return end, nil
}

// run probes as the kubelet does and scrapes as Prometheus does, and looks at how old the results are.
func (s *starve) run(ctx context.Context) error {
	s.began = time.Now()
	if err := s.sidecar.awaitHealthy(ctx); err != nil { // the startup probe allows a minute
		return err
	}
	s.Progress(fmt.Sprintf("all healthy after %s more", time.Since(s.began).Round(100*time.Millisecond)))
	s.began = time.Now()
	probes := inBackground(ctx,
		func(ctx context.Context) { s.live.ask(ctx, s.sidecar.url("/health/live"), livenessTiming) },
		func(ctx context.Context) { s.ready.ask(ctx, s.sidecar.url("/health/ready"), readinessTiming) })
	defer probes.end()
	for next := time.Minute; time.Since(s.began) < s.Duration; {
		if err := poll.Pause(ctx, min(15*time.Second, s.Duration)); err != nil {
			return err
		}
		m, err := s.sidecar.scrape(ctx)
		if err != nil {
			return fmt.Errorf("scrape: %w; the log ends:\n%s", err, tail(s.sidecar.Log()))
		}
		s.last = m
		s.stale += len(services) - int(m.sum("reims_health_up"))
		for _, service := range services {
			at := m.sum("reims_health_last_probe_timestamp_seconds", `service="`+service+`"`)
			s.ages[service] = append(s.ages[service], time.Since(time.UnixMicro(int64(at*1e6))))
		}
		if elapsed := time.Since(s.began); elapsed > next {
			next += time.Minute
			s.Progress(fmt.Sprintf("%6s of %s: %.0f checks, %.0f discarded, %.0f failed", elapsed.Round(time.Second), s.Duration,
				m.sum("reims_health_probes_total"), m.sum("reims_health_probes_total", `result="discarded"`), m.sum("reims_health_probes_total", `result="failure"`)))
		}
	}
	return nil
}

// blamed returns the verdicts that the log has, and that no server deserved, by service and reason.
func (s *starve) blamed() map[string]int {
	all := map[string]int{}
	for line := range strings.Lines(s.sidecar.Log()) {
		var r struct{ Msg, Service, To, Status, Reason string }
		if json.Unmarshal([]byte(line), &r) == nil && (r.Msg == "status changed" || r.Msg == "reason changed") && r.To != "healthy" {
			all[fmt.Sprintf("%s %s %s", r.Service, r.To+r.Status, r.Reason)]++
		}
	}
	return all
}

func (s *starve) report(w io.Writer) error {
	m, u := s.last, s.group.usage()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s with %dm of processor time beside %d processes that never rest\n\n", time.Since(s.began).Round(time.Second), s.CPU, 2*runtime.NumCPU())
	fmt.Fprintln(t, "service\tchecks\tfailed\tdiscarded\tage p50\tage p99\tage max")
	for _, service := range services {
		label, ages := `service="`+service+`"`, s.ages[service]
		slices.Sort(ages)
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\n", service, m.sum("reims_health_probes_total", label),
			m.sum("reims_health_probes_total", label, `result="failure"`), m.sum("reims_health_probes_total", label, `result="discarded"`),
			quantile(ages, 0.5), quantile(ages, 0.99), quantile(ages, 1))
	}
	fmt.Fprintln(t, "\nprobe\tasked\tfailed\tp50\tp99\tmax\tconsequences")
	for _, p := range []struct {
		name, consequence string
		*Probes
	}{{"liveness", "restarts", &s.live}, {"readiness", "times out of the Service", &s.ready}} {
		slices.Sort(p.Took)
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%d %s\n", p.name, len(p.Took)+len(p.Failures), len(p.Failures),
			quantile(p.Took, 0.5), quantile(p.Took, 0.99), quantile(p.Took, 1), p.Restarts, p.consequence)
	}
	fmt.Fprintf(t, "\nprocessor time used: %.1f s; throttled in %d of %d periods; results too old, at a scrape: %d\n",
		m["process_cpu_seconds_total"], u.throttled, u.periods, s.stale)
	var wrong []string
	blamed := s.blamed()
	for _, what := range slices.Sorted(maps.Keys(blamed)) {
		wrong = append(wrong, fmt.Sprintf("false verdict, %d times: %s", blamed[what], what))
	}
	for name, value := range m {
		if strings.HasPrefix(name, "reims_health_probes_total") && strings.Contains(name, `result="failure"`) && value > 0 {
			wrong = append(wrong, fmt.Sprintf("wrong reason, %.0f times: %s", value, name))
		}
	}
	if s.live.Restarts+s.ready.Restarts > 0 {
		wrong = append(wrong, append(s.live.Failures, s.ready.Failures...)...)
	}
	fmt.Fprintf(t, "false verdicts: %d; failed checks of servers that were well: %.0f; restarts: %d; times out of the Service: %d\n",
		len(blamed), m.sum("reims_health_probes_total", `result="failure"`), s.live.Restarts, s.ready.Restarts)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the bound is 0 of each:\n%s", strings.Join(wrong, "\n"))
	}
	return nil
}
