package scale

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes the report as tables.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	way := "directly"
	if r.Pooled {
		way = "through PgBouncer"
	}
	fmt.Fprintf(t, "\n%d sidecars, the database %s, for %s\n\n", r.Loops, way, r.Steady)
	fmt.Fprintln(t, "server\tconnections\tpeak\tnew/s\tchecks/s\tfailed\tCPU, cores\tCPU per check\tper 100 ms\tpeak/mean\tby chance\tvariance/mean")
	for _, s := range r.Services {
		each := "-"
		if s.Checks > 0 {
			each = fmt.Sprintf("%.0f µs", 1e6*s.CPU/s.Checks)
		}
		fmt.Fprintf(t, "%s\t%.0f\t%d\t%.1f\t%.1f\t%d\t%.3f\t%s\t%s\n", s.Name, s.Connections, s.Peak, s.Made, s.Checks, s.Failed, s.CPU, each, s.Evenness)
	}
	fmt.Fprintf(t, "the loops\t\t\t\t\t\t%.3f\t\t%s\n", r.LoopsCPU, r.All)
	fmt.Fprintf(t, "\nThe database answered %d messages to %d to %d checks.\n", r.Messages, r.Checks[0], r.Checks[1])
	printParts(t, "part of the database's check", r.Parts)
	fmt.Fprintln(t, "\nall find the database\tall healthy after\tlogins\tper s, peak\tper 100 ms, peak\tchecks per s while down, peak\tpeak/mean after\tby chance\tfailed checks, refusals")
	r.Start.print(t, "start", 0)
	for _, o := range r.Outages {
		o.Herd.print(t, fmt.Sprintf("down for %s", o.Down), o.Began)
	}
	return t.Flush()
}

// String is four columns of a table.
func (e Evenness) String() string {
	return fmt.Sprintf("%.1f\t%.2f\t%.2f\t%.2f", e.Mean, e.Ratio(), e.ChanceRatio(), e.Dispersion)
}

func (h *Herd) print(w io.Writer, name string, down int) {
	after := fmt.Sprintf("%.1f s", h.Healthy.Seconds())
	if h.Missing > 0 {
		after = fmt.Sprintf("not all: %d after %s", h.Missing, after)
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%.2f\t%.2f\t%s\n", name, after, h.Logins, h.PeakLogins, h.PeakLogins100, down,
		h.After.Ratio(), h.After.ChanceRatio(), h.faults())
}

func (h *Herd) faults() string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(h.Failures)) {
		all = append(all, fmt.Sprintf("%d %s", h.Failures[reason], reason))
	}
	for _, text := range slices.Sorted(maps.Keys(h.Refusals)) {
		all = append(all, fmt.Sprintf("%d × %q", h.Refusals[text], text))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func printParts(w io.Writer, title string, parts []Part) {
	fmt.Fprintf(w, "\n%s\tcalls\tmean\tleast\n", title)
	for _, p := range parts {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", p.Name, p.Calls, p.Each.Round(time.Microsecond), p.Least.Round(time.Microsecond))
	}
}

// Print writes the report as a table.
func (r *PartsReport) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nBeside %d idle connections the check's message takes %s (median)\n", r.Backends, r.Latency.Round(time.Microsecond))
	printParts(t, "part", r.Parts)
	return t.Flush()
}
