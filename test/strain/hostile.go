package strain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// The chart's limits of the sidecar.
const (
	memoryLimit = 64 << 20
	goMemory    = "57MiB" // nine tenths
)

// hostile is one run against one sidecar.
type hostile struct {
	Options
	scheme  string
	sidecar *sidecar
	node    *cgroup
	group   *cgroup
	table   *tabwriter.Writer
	wrong   []string
}

// Hostile lets clients that mean harm at the program, by HTTP and by HTTPS, in a cgroup with the memory limit and the
// share of the processors that the chart asks for. Each kind lasts for o.Duration, and a probe of the kubelet's kind asks
// ten times per second throughout. It writes a table, and returns an error where a probe failed, the kernel killed, a
// wrong request was answered too well, or goroutines and descriptors stay. It needs root and cgroups, see newCgroup.
func Hostile(ctx context.Context, o Options, w io.Writer) (err error) {
	// Other work on this machine is no part of the attack: the clients and the sidecar have a node of their own.
	node, err := newCgroup("node", limits{request: ownShare})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.removed()) }()
	clients, err := node.below("clients", limits{request: 1000})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clients.leave(), clients.removed()) }()
	if err := clients.enter(); err != nil {
		return err
	}
	return servers.UseSet(ctx, o.Progress, func(dir string, set []servers.Server) error {
		var wrong []string
		for _, scheme := range []string{"http", "https"} {
			h := &hostile{Options: o, scheme: scheme, node: node, table: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
			if err := h.run(ctx, dir, set); err != nil {
				return err
			}
			wrong = append(wrong, h.wrong...)
		}
		if len(wrong) > 0 {
			return fmt.Errorf("%d wrong:\n%s", len(wrong), strings.Join(wrong, "\n"))
		}
		return nil
	})
}

func (h *hostile) run(ctx context.Context, dir string, set []servers.Server) (err error) {
	if h.group, err = h.node.below(h.scheme, limits{request: 10, memory: memoryLimit}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.group.removed()) }()
	vars := environment(set, servers.Var{Name: "GOMEMLIMIT", Value: goMemory})
	if h.scheme == "https" {
		cert, key, err := servers.WriteCertificate(dir)
		if err != nil {
			return err
		}
		vars = append(vars, servers.Var{Name: "HEALTH_TLS_CERT_FILE", Value: cert}, servers.Var{Name: "HEALTH_TLS_KEY_FILE", Value: key})
	}
	if h.sidecar, err = serve(h.Options, vars, h.group.inside()...); err != nil {
		return err
	}
	defer h.sidecar.Kill()
	if err := h.sidecar.awaitHealthy(ctx); err != nil {
		return err
	}
	fmt.Fprintf(h.table, "\n%s\tconnections\tnot made\tprobes\tfailed\tp50\tp99\tmax\tresident\n", h.scheme)
	for _, a := range attacks() {
		if err := h.endure(ctx, a); err != nil {
			return err
		}
	}
	if err := h.table.Flush(); err != nil {
		return err
	}
	u := h.group.usage()
	fmt.Fprintf(h.table, "\npeak of the cgroup, its page cache among it: %.1f of %d MiB; kills by the kernel: %d\n", float64(u.peak)/(1<<20), memoryLimit>>20, u.kills)
	if u.kills != 0 {
		h.wrong = append(h.wrong, fmt.Sprintf("%s: the kernel killed %d times, or does not say", h.scheme, u.kills))
	}
	return h.table.Flush()
}

// endure lets one crowd at the sidecar, and waits until nothing is left of it.
func (h *hostile) endure(ctx context.Context, a attack) error {
	before, err := h.sidecar.scrape(ctx)
	if err != nil {
		return err
	}
	c := &crowd{attack: a, target: h.sidecar.Health, tls: h.scheme == "https", problems: map[string]int{}}
	var probes Probes
	during := inBackground(ctx, c.run, func(ctx context.Context) {
		probes.ask(ctx, h.sidecar.url("/health/live"), timing{period: 100 * time.Millisecond, timeout: time.Second, threshold: 3})
	})
	length := h.Duration
	if a.once {
		length += time.Second * time.Duration(a.clients/a.perSecond)
	}
	err = poll.Pause(ctx, length)
	during.end()
	if err != nil {
		return err
	}
	select {
	case <-h.sidecar.Exited():
		return fmt.Errorf("the sidecar ended among %s: %w", a.name, h.sidecar.Wait())
	default:
	}
	slices.Sort(probes.Took)
	after, back := h.recovered(ctx, before)
	fmt.Fprintf(h.table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%.1f MB\n", a.name, c.made.Load(), c.failed.Load(), len(probes.Took)+len(probes.Failures), len(probes.Failures),
		quantile(probes.Took, 0.5), quantile(probes.Took, 0.99), quantile(probes.Took, 1), after["process_resident_memory_bytes"]/1e6)
	h.Progress(fmt.Sprintf("%s, %s: %d of %d probes failed, longest %s", h.scheme, a.name, len(probes.Failures), len(probes.Took)+len(probes.Failures), quantile(probes.Took, 1)))
	for _, f := range probes.Failures {
		h.wrong = append(h.wrong, fmt.Sprintf("%s, %s: a probe failed: %s", h.scheme, a.name, f))
	}
	for _, problem := range slices.Sorted(maps.Keys(c.problems)) {
		h.wrong = append(h.wrong, fmt.Sprintf("%s, %s: %d times: %s", h.scheme, a.name, c.problems[problem], problem))
	}
	if !back {
		h.wrong = append(h.wrong, fmt.Sprintf("%s, %s: goroutines %v, before %v; descriptors %v, before %v", h.scheme, a.name,
			after["go_goroutines"], before["go_goroutines"], after["process_open_fds"], before["process_open_fds"]))
	}
	return nil
}

// recovered waits until goroutines and descriptors are back to what they were, but for a check that runs.
func (h *hostile) recovered(ctx context.Context, before metrics) (after metrics, back bool) {
	back = poll.Poll(ctx, 30*time.Second, func() bool {
		var err error
		after, err = h.sidecar.scrape(ctx)
		return err == nil && after["go_goroutines"] <= before["go_goroutines"]+8 && after["process_open_fds"] <= before["process_open_fds"]+4
	})
	return after, back
}
