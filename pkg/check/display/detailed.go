package display

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/reims/reims-health/pkg/check"
)

// Details writes each service with all that is known of it.
func (p *Printer) Details(d *check.Details) {
	asked, requests := "the sidecar answered", "request"
	if d.Direct {
		asked, requests = "the probe took", "probe"
	}
	label := labels(d)
	for i := range d.Services {
		s := &d.Services[i]
		p.service(s, requests, label)
		p.distribution(label("the service answered"), "probes"+since(s.ProbesSince), s.Probes)
		p.distribution(label(asked), requests+"s", s.Answers)
		p.line()
	}
	p.DetailsSummary(d)
}

// DetailsSummary writes the last line.
func (p *Printer) DetailsSummary(d *check.Details) {
	from := fmt.Sprintf("%s of %s: ", plural(len(d.Services), "service"), d.URL)
	if d.Direct {
		p.line()
		from = plural(len(d.Services), "service") + ", probed from here; /health would say "
	}
	if d.Ready == "" {
		p.line(from, statusStyle(d.Status).Render(d.Status))
		return
	}
	style := green()
	if len(d.NotReady) > 0 {
		style = red()
	}
	p.line(from, statusStyle(d.Status).Render(d.Status), ", /health/ready ", style.Render(d.Ready))
	for _, why := range d.NotReady {
		p.beside("  not ready: ", red().Render(why))
	}
}

// Probe writes one service in a line, for a probe that was run in place. Longest is the
// length of the longest name that there will be.
func (p *Printer) Probe(s *check.ServiceDetails, longest int) {
	took := "-"
	if s.Answers != nil {
		took = ms(s.Answers.P50)
	}
	left := fmt.Sprintf("%s%-*s  %9s  ", verdictText(verdictOf(s)), longest, s.Name, took)
	why := strings.Join(check.NonEmpty(s.Status, s.Details.Text("reason"), s.Details.Text("message")), ": ")
	notes := check.NonEmpty(why)
	for _, problem := range s.Problems {
		notes = append(notes, red().Render(problem))
	}
	p.beside(left, append(notes, check.NonEmpty(driverText(s))...)...)
}

func verdictOf(s *check.ServiceDetails) check.Verdict {
	switch {
	case s.Failed > 0:
		return check.Fail
	case s.Status != "healthy":
		return check.Degraded
	default:
		return check.Pass
	}
}

// since tells how far back the probes go, where that is known.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + t.UTC().Format(time.TimeOnly)
}

func (p *Printer) service(s *check.ServiceDetails, request string, label func(string) string) {
	p.line(bold().Render(s.Name), "  ", statusStyle(s.Status).Render(s.Status))
	for _, m := range s.Details {
		p.beside(label(m.Key), value(m.Value))
	}
	if s.Error != "" {
		p.beside(label("error"), driverText(s))
	}
	for _, problem := range s.Problems {
		p.beside(label("problem"), red().Render(problem))
	}
	if s.Failed > 0 {
		p.beside(label("failed"), red().Render(plural(s.Failed, request)))
	}
}

// driverText is what the driver said, which can have several lines.
func driverText(s *check.ServiceDetails) string {
	lines := strings.Split(s.Error, "\n")
	for i, line := range lines {
		lines[i] = check.Printable(strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

// labels returns what makes a label as wide as the widest of them.
func labels(d *check.Details) func(string) string {
	width := len("the service answered")
	for _, s := range d.Services {
		for _, m := range s.Details {
			width = max(width, len(m.Key))
		}
	}
	return func(text string) string { return "  " + faint().Render(cell(text, width+1)) + " " }
}

// value is what a JSON value looks like to a person, cut to what can be read.
func value(raw json.RawMessage) string { return check.Shorten(whole(raw)) }

func whole(raw json.RawMessage) string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case string:
		return check.Printable(v)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = check.Printable(fmt.Sprint(item))
		}
		if len(texts) == 0 {
			return "(none)"
		}
		return strings.Join(texts, ", ")
	case nil:
		return "-"
	default:
		return string(raw)
	}
}

// distribution writes the figures and a histogram of times. Of one there is no
// more to say than how long it took.
func (p *Printer) distribution(label, of string, d *check.Distribution) {
	switch {
	case d == nil:
		return
	case d.Count == 1:
		p.beside(label, fmt.Sprintf("in %s, once", ms(d.Max)))
		return
	}
	p.beside(label, fmt.Sprintf("%d %s: min %s, p50 %s, p95 %s, p99 %s, max %s",
		d.Count, of, ms(d.Min), ms(d.P50), ms(d.P95), ms(d.P99), ms(d.Max)))
	const width = 30
	indent := strings.Repeat(" ", lipgloss.Width(label))
	for _, b := range d.Buckets {
		p.line(indent, fmt.Sprintf("%11s  ", "to "+bound(b.To)), bar(b.Count, d.Count, width), fmt.Sprintf(" %d", b.Count))
	}
}

// Comparison writes what differs: what is not meant, and then what is, by the reason.
// Values that are measured anew at each moment are only counted.
func (p *Printer) Comparison(c *check.Comparison) {
	p.line("old  ", c.Old)
	p.line("new  ", c.New)
	for _, group := range groups(c) {
		p.line()
		if group[0].Kind == check.Unmeant {
			p.line(red().Render("DIFFERS"))
		} else {
			p.beside(yellow().Render("meant")+"  ", group[0].Why)
		}
		p.differences(group)
	}
	unmeant := fmt.Sprintf("not meant: %d", c.Unmeant)
	if c.Unmeant > 0 {
		unmeant = red().Render(unmeant)
	}
	p.line()
	p.line(fmt.Sprintf("fields the same: %d, measured anew: %d, different as meant: %d, ", c.Same, c.Measured, c.Meant), unmeant)
}

// groups are the differences by the reason; those with none, which are not meant, come
// first.
func groups(c *check.Comparison) [][]check.Difference {
	var all [][]check.Difference
	for _, d := range c.Differences {
		if d.Kind == check.Measured {
			continue
		}
		i := slices.IndexFunc(all, func(group []check.Difference) bool { return group[0].Why == d.Why })
		switch {
		case i >= 0:
			all[i] = append(all[i], d)
		case d.Kind == check.Unmeant:
			all = slices.Insert(all, 0, []check.Difference{d})
		default:
			all = append(all, []check.Difference{d})
		}
	}
	return all
}

// differences writes one line per difference, and one line per path for fields that are new.
func (p *Printer) differences(group []check.Difference) {
	const pathWidth = 18
	for len(group) > 0 {
		d := group[0]
		left := fmt.Sprintf("  %-*s  ", pathWidth, d.Path)
		if d.Old != nil || d.Kind == check.Unmeant {
			p.beside(left, fmt.Sprintf("%s: %s -> %s", d.Field, side(d.Old), side(d.New)))
			group = group[1:]
			continue
		}
		n := 1
		for n < len(group) && group[n].Old == nil && group[n].Path == d.Path {
			n++
		}
		p.beside(left, strings.Join(names(group[:n]), ", "))
		group = group[n:]
	}
}

func names(group []check.Difference) []string {
	var all []string
	for _, d := range group {
		all = append(all, strings.TrimPrefix(d.Field, "details."))
	}
	return all
}

func side(raw json.RawMessage) string {
	if raw == nil {
		return "(none)"
	}
	return value(raw)
}
