package statuspage

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// The charts' measurements, in units of their drawing.
const (
	chartSteps  = 60
	stepWidth   = 10
	chartHeight = 44 // of the latencies
	bandHeight  = 10 // of the verdicts below them
)

// historySpan is the time that the page covers, the same hour as /health/history.
const historySpan = time.Hour

// axis is the time axis of a page's charts, divided into steps: the time that was
// watched, in whole minutes, at least 2 and at most 60.
type axis struct {
	begin, end time.Time
	span, step time.Duration
}

func newAxis(samples [][]health.Sample, now time.Time) axis {
	span := 2 * time.Minute
	for _, s := range samples {
		if len(s) > 0 {
			span = max(span, now.Sub(s[0].Time))
		}
	}
	span = min((span + time.Minute - 1).Truncate(time.Minute), historySpan)
	return axis{begin: now.Add(-span), end: now, span: span, step: span / chartSteps}
}

// chart is the drawing of a service's history, and the same as text.
type chart struct {
	Verdicts bool   // only the bands: latencies are withheld
	Line     string // the median of each step
	Area     string // up to the slowest answer of each step
	Bands    []band
	Hints    []hint
	Max      string // the latency at the top, or ""
	Uptime   string // the share of the time in which it was not unhealthy
	Label    string
}

// hint is the tooltip of a segment of the chart: steps with one status,
// at most three, so that the page stays small.
type hint struct {
	From, Steps int
	Text        string
}

const hintSteps = 3

// band is the SVG path of the steps with one status.
type band struct{ Class, Path string }

// step is the state of one step of the axis.
type step struct {
	answers []time.Duration
	failed  bool // a check had no answer
	stale   bool // there was no result for too long
	status  health.Status
}

// chart draws the samples. The latencies are the p50 and the slowest answer;
// there are none without an answer, or if they are withheld.
func (a axis) chart(r health.Result, samples []health.Sample, l latencies, d Details) chart {
	steps := a.steps(r, samples)
	c := chart{Verdicts: d == Off || l.slowest == 0, Bands: bands(steps), Hints: a.hints(steps, d)}
	words := a.verdictWords(steps)
	if share, known := a.uptime(r, samples); known {
		c.Uptime = percentText(share)
		words = "Up for " + c.Uptime + " of the time. " + words
	}
	if !c.Verdicts {
		c.Line, c.Area = curves(steps, l.slowest)
		c.Max = latencyText(l.slowest)
		words = fmt.Sprintf("Half of the answers came within %s, the slowest after %s. %s", latencyText(l.p50), latencyText(l.slowest), words)
	}
	c.Label = fmt.Sprintf("The last %s. %s", webpage.SpanText(a.span), words)
	return c
}

// uptime returns the share of the time since the first result in which the service was not
// unhealthy; an expired result counts as unhealthy. It reports false if no time has
// passed since the first result.
func (a axis) uptime(r health.Result, samples []health.Sample) (share float64, known bool) {
	if len(samples) == 0 {
		return 0, r.Checks > 0
	}
	var up time.Duration
	for i, s := range samples {
		end := a.end
		if i+1 < len(samples) {
			end = samples[i+1].Time
		}
		if s.Status == health.Healthy || s.Status == health.Degraded {
			up += min(end.Sub(s.Time), r.Service.StaleAfter())
		}
	}
	watched := a.end.Sub(samples[0].Time)
	return float64(up) / float64(watched), watched > 0
}

// hints returns the tooltips of the chart's segments, from the first result on.
func (a axis) hints(steps []step, d Details) []hint {
	var all []hint
	for n := 0; n < len(steps); {
		next := n + 1
		for next < len(steps) && next%hintSteps != 0 && steps[next].status == steps[n].status {
			next++
		}
		if steps[n].status != health.Unknown {
			from, to := a.begin.Add(time.Duration(n)*a.step), a.begin.Add(time.Duration(next)*a.step)
			text := webpage.ClockText(from, a.end) + " to " + webpage.ClockText(to, a.end) + ": " + steps[n].status.String()
			all = append(all, hint{n, next - n, text + answersText(steps[n:next], d)})
		}
		n = next
	}
	return all
}

// answersText returns how long the answers took, or "" if that is withheld.
func answersText(steps []step, d Details) string {
	var answers []time.Duration
	for _, s := range steps {
		answers = append(answers, s.answers...)
	}
	if d == Off || len(answers) == 0 {
		return ""
	}
	slices.Sort(answers)
	return ", " + latencyText(answers[len(answers)/2]) + ", slowest " + latencyText(answers[len(answers)-1])
}

// steps sorts the samples into steps. A step without samples has the status of the previous one, for
// as long as that result counted; afterwards it is stale, and so unhealthy.
func (a axis) steps(r health.Result, samples []health.Sample) []step {
	steps := make([]step, chartSteps)
	i, last, expires := 0, health.Unknown, time.Time{}
	if len(samples) == 0 && r.Checks > 0 { // before the axis begins
		last, expires = r.Status, r.Expires()
	}
	for n := range steps {
		begin, end := a.begin.Add(time.Duration(n)*a.step), a.begin.Add(time.Duration(n+1)*a.step)
		s := &steps[n]
		if expires.After(begin) {
			s.status = last
		}
		for ; i < len(samples) && (samples[i].Time.Before(end) || n == chartSteps-1); i++ {
			s.age(expires, samples[i].Time)
			s.add(samples[i])
			last, expires = samples[i].Status, samples[i].Time.Add(r.Service.StaleAfter())
		}
		s.age(expires, end)
	}
	return steps
}

// age makes the step stale if the result expired before a time in it. The zero
// time means that there is no result yet.
func (s *step) age(expires, moment time.Time) {
	if !expires.IsZero() && expires.Before(moment) {
		s.stale, s.status = true, health.Unhealthy
	}
}

// add keeps the worst status of the step.
func (s *step) add(sample health.Sample) {
	s.status = max(s.status, sample.Status)
	if sample.Latency > 0 {
		s.answers = append(s.answers, sample.Latency)
	} else {
		s.failed = true
	}
}

// curves draws the square roots of the latencies, so that one slow answer does not make all
// others look the same. The line has a gap where answers are missing.
func curves(steps []step, slowest time.Duration) (line, area string) {
	var l, ar strings.Builder
	drawn, x := false, 0
	height := func(d time.Duration) float64 {
		return chartHeight - (chartHeight-2)*math.Sqrt(float64(d)/float64(slowest))
	}
	rest := func() {
		if drawn {
			fmt.Fprintf(&ar, "L%d %dZ", x, chartHeight)
			l.WriteString("h.1") // makes a line of one point visible
		}
		drawn = false
	}
	for i, s := range steps {
		if s.stale || s.failed && len(s.answers) == 0 {
			rest()
		}
		if len(s.answers) == 0 {
			continue
		}
		slices.Sort(s.answers)
		x = i*stepWidth + stepWidth/2
		letter := "L"
		if !drawn {
			letter = "M"
			fmt.Fprintf(&ar, "M%d %d", x, chartHeight)
		}
		drawn = true
		fmt.Fprintf(&l, "%s%d %.1f", letter, x, height(s.answers[len(s.answers)/2]))
		fmt.Fprintf(&ar, "L%d %.1f", x, height(s.answers[len(s.answers)-1]))
	}
	rest()
	return l.String(), ar.String()
}

// bands draws the statuses. A worse status is higher, so that the difference is visible without
// colours.
func bands(steps []step) []band {
	heights := map[health.Status]int{health.Unknown: 1, health.Healthy: 4, health.Degraded: 7, health.Unhealthy: bandHeight}
	var all []band
	for _, status := range health.Statuses() {
		var path strings.Builder
		for i, s := range steps {
			if s.status == status {
				h := heights[status]
				fmt.Fprintf(&path, "M%d %dh8v%dh-8z", i*stepWidth+1, chartHeight+4+bandHeight-h, h)
			}
		}
		if path.Len() > 0 {
			all = append(all, band{status.String(), path.String()})
		}
	}
	return all
}

// verdictWords returns for how long the service was in each state while it was watched.
func (a axis) verdictWords(steps []step) string {
	first := slices.IndexFunc(steps, func(s step) bool { return s.status != health.Unknown })
	if first < 0 {
		return "Nothing is known yet."
	}
	count := map[health.Status]int{}
	for _, s := range steps[first:] {
		count[s.status]++
	}
	var words []string
	for _, status := range []health.Status{health.Unhealthy, health.Degraded, health.Healthy} {
		if n := count[status]; n > 0 {
			words = append(words, fmt.Sprintf("%s for about %s", status, webpage.SpanText(time.Duration(n)*a.step)))
		}
	}
	return webpage.Capital(webpage.Enumerate(words)) + "."
}
