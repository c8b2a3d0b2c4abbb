package display

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/reims/reims-health/pkg/check"
)

// Details writes each service with all that is known of it.
func (p *Printer) Details(d *check.Details) {
	q := p.paged()
	took := []string{"The sidecar answered", "request"}
	if d.Direct {
		took = []string{"The probe took", "probe"}
	}
	label := labels(d)
	var links []string
	for i := range d.Services {
		s := &d.Services[i]
		q.service(s, took[1], label)
		q.distribution(label("The service answered"), "probes"+since(s.ProbesSince), s.Probes)
		q.distribution(label(took[0]), took[1]+"s", s.Answers)
		q.line()
		links = append(links, s.Details.Text("docs"))
	}
	q.detailsSummary(d)
	q.addresses(links)
	p.err = q.err
}

func (p *Printer) detailsSummary(d *check.Details) {
	from := fmt.Sprintf("%s of %s: ", plural(len(d.Services), "service"), d.URL)
	if d.Direct {
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

// since tells how far back the probes go, where that is known.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + t.UTC().Format(time.TimeOnly) + " UTC"
}

func (p *Printer) service(s *check.ServiceDetails, request string, label func(string) string) {
	p.line(bold().Render(s.Name), "  ", statusStyle(s.Status).Render(s.Status))
	for _, f := range []check.Fact{
		{Label: "Reason", Value: s.Details.Text("reason")},
		{Label: "Message", Value: s.Details.Text("message")},
		{Label: "Error", Value: errorText(s.Error)},
		{Label: "Next step", Value: s.Details.Text("next_step")},
	} {
		if f.Value != "" {
			p.beside(label(f.Label), f.Value)
		}
	}
	for _, f := range s.Facts {
		p.beside(label(f.Label), f.Value)
	}
	for _, problem := range s.Problems {
		p.beside(label("Problem"), red().Render(problem))
	}
	if s.Failed > 0 {
		p.beside(label("Failed"), red().Render(plural(s.Failed, request)))
	}
}

// errorText is what the driver said, which can have several lines.
func errorText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = check.Printable(strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

// labels returns what makes a label as wide as the widest of them.
func labels(d *check.Details) func(string) string {
	const most = 32
	width := len("The service answered")
	for _, s := range d.Services {
		for _, f := range s.Facts {
			width = max(width, min(most, lipgloss.Width(check.Printable(f.Label))))
		}
	}
	return func(text string) string { return "  " + faint().Render(cell(text, width+1)) + " " }
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
	indent := strings.Repeat(" ", lipgloss.Width(label))
	p.beside(label, fmt.Sprintf("%d %s", d.Count, of))
	p.beside(indent, fmt.Sprintf("p50 %s, p95 %s, p99 %s", ms(d.P50), ms(d.P95), ms(d.P99)))
	p.beside(indent, fmt.Sprintf("fastest %s, slowest %s", ms(d.Min), ms(d.Max)))
	const width = 24
	for _, b := range d.Buckets {
		p.line(indent, fmt.Sprintf("%11s  ", "to "+bound(b.To)), bar(b.Count, d.Count, width), fmt.Sprintf(" %d", b.Count))
	}
}
