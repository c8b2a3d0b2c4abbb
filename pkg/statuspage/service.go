package statuspage

import (
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// serviceView is the view of one service. With HEALTH_DETAILS=off it has little more than its name
// and state.
type serviceView struct {
	Name, Title string
	Collapsible bool // the details can be closed
	Collapsed   bool // the details are closed at first
	Fills       bool // the card takes a whole row
	State       webpage.State
	Policy      string // its effect on readiness
	Since       *webpage.Moment
	For         string
	Trouble     *troubleView
	Silence     string // text in place of figures and a chart, or ""
	Figures     []figure
	Chart       *chart
	Bars        []bar
	Facts       []fact
}

// troubleView has the reason why the state is not healthy, or why the latest check failed.
type troubleView struct {
	Reason, Words, More string
	Docs                string // URL of the documentation of the reason, or ""
	Next                string // the next step, or ""
	Scope               string // scope of the fault, or "" if no peers are asked
}

// figure is one number of the latency.
type figure struct{ Label, Value string }

var policies = map[health.Policy]string{
	health.PolicyStrict:  "Required for readiness",
	health.PolicyStartup: "Required to become ready",
	health.PolicyIgnore:  "Not required for readiness",
}

func newServiceView(r health.Result, samples []health.Sample, a axis, d Details) serviceView {
	l := newLatencies(samples)
	v := serviceView{
		Name: r.Service.Name, Title: r.Service.Title(), State: stateOf(r.Status),
		Policy: policies[r.Service.Readiness],
	}
	switch {
	case r.Checks == 0:
		v.Silence = "No check has ended yet."
	case l.slowest == 0 && d != Off:
		v.Silence = "No answer in the last " + webpage.SpanText(a.span) + "."
	}
	if r.Checks > 0 {
		c := a.chart(r, samples, l, d)
		v.Chart = &c
	}
	if d == Off {
		return v
	}
	since := webpage.NewMoment(r.Since, a.end)
	v.Since, v.For = &since, webpage.SpanText(a.end.Sub(r.Since))
	v.Trouble = trouble(r, a.end, d)
	if v.Silence == "" {
		v.Figures = figures(r, l)
	}
	v.Bars, v.Facts = measures(r, a.end, d)
	v.Facts = append(origin(r.Service, d), v.Facts...)
	if r.Checks > 0 {
		at := webpage.NewMoment(r.Last.Finished, a.end)
		v.Facts = append(v.Facts, fact{Label: "Last checked", At: &at, Value: ago(r.Last.Finished, a.end)})
	}
	return v
}

// origin returns the kind and the endpoint of a service that was not always of its kind.
func origin(s *health.Service, d Details) (facts []fact) {
	if s.Kind == nil || s.Kind.Service == s.Name {
		return nil
	}
	if d == Full && s.Endpoint != "" {
		facts = append(facts, fact{Label: "Endpoint", Value: s.Endpoint, Name: true, Wide: true})
	}
	return append(facts, fact{Label: "Kind", Value: s.Kind.Name})
}

func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= time.Second {
		return webpage.SpanText(d) + " ago"
	}
	return "just now"
}

func trouble(r health.Result, now time.Time, d Details) *troubleView {
	switch {
	case r.Status == health.Healthy && r.Last.Fault != nil:
		reason := r.Last.Fault.Reason
		return &troubleView{
			Reason: string(reason), Words: "The latest check failed; it is being confirmed.",
			Docs: r.Service.Docs(reason), Next: r.Service.NextStep(reason),
		}
	case r.Fault() == nil || r.Checks == 0 && r.Status == health.Unknown:
		return nil
	}
	t := &troubleView{Reason: string(r.Reason()), Words: webpage.Capital(r.ReasonText()) + ".", Docs: r.Docs(), Next: r.NextStep()}
	if d == Full {
		t.Words = webpage.Capital(r.Message()) + "."
	}
	t.Scope = scopeText(r)
	switch n := r.ConsecutiveFailures; {
	case n == 1:
		t.More = "1 check not healthy; "
	case n > 1:
		t.More = webpage.NumberText(float64(n)) + " checks in a row not healthy; "
	}
	if r.LastSuccess.IsZero() {
		t.More = webpage.Capital(t.More + "never seen healthy.")
	} else {
		t.More = webpage.Capital(t.More + "last healthy at " + webpage.NewMoment(r.LastSuccess, now).Text + ".")
	}
	return t
}

// scopeText returns the scope of a fault as a sentence.
func scopeText(r health.Result) string {
	switch {
	case r.Scope == "":
		return ""
	case r.Scope == health.ScopeUndecided:
		return "The other Pods are being asked whether they see it too."
	case r.Scope == health.ScopeUnknown:
		return webpage.Capital("whether other Pods see it too is " + r.Scope.Describe(r.Finding) + ".")
	}
	return webpage.Capital(r.Scope.Describe(r.Finding) + ".")
}

// latencies are the latencies of past answers; zero without any answer.
type latencies struct{ p50, p99, slowest time.Duration }

func newLatencies(samples []health.Sample) latencies {
	q := health.Quantiles(samples, 0.5, 0.99, 1)
	if q == nil {
		return latencies{}
	}
	return latencies{q[0], q[1], q[2]}
}

// figures returns the current latency and those of a history with answers.
func figures(r health.Result, l latencies) []figure {
	now := "none"
	if r.Last.Answered() {
		now = latencyText(r.Last.Observation.Latency)
	}
	return []figure{{"Latency", now}, {"p50", latencyText(l.p50)}, {"p99", latencyText(l.p99)}, {"Slowest", latencyText(l.slowest)}}
}
