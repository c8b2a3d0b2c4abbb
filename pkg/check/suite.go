package check

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	// looks is how often two answers that disagree are asked for again: a verdict may
	// change between the one and the other.
	looks = 3
	// nobody is a service that no sidecar has.
	nobody = "no-such-service"
)

// Suite is how [Client.All] goes about it.
type Suite struct {
	// MaxAge is how old the timestamp of an answer may be, by the clock of the machine
	// that answers. Required.
	MaxAge time.Duration
	// Metrics, when set, is asked for /metrics, which has an address of its own.
	Metrics *Client
	// Done, when set, is called with each check as it is done, and with the longest
	// path that there will be.
	Done func(c Check, longest int)
}

// All exercises every endpoint, judges every answer and returns what it found. The
// services are those that /health lists. The error says that no sidecar answers: then
// there is nothing to judge.
func (c *Client) All(ctx context.Context, s Suite) (*Report, error) {
	began := time.Now()
	r := &run{client: c, suite: s, judge: judge{maxAge: s.MaxAge, kinds: c.kinds()}, report: Report{URL: c.URL()}}
	if err := r.first(ctx); err != nil {
		return nil, err
	}
	r.take(ctx, r.steps())
	r.take(ctx, r.further())
	if m := s.Metrics; m != nil && ctx.Err() == nil {
		r.metrics(ctx, m)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.report.TimeMS = millis(time.Since(began))
	return &r.report, nil
}

type run struct {
	client  *Client
	suite   Suite
	judge   judge
	report  Report
	longest int
}

type step struct {
	path  string
	judge func(*Answer) finding
}

// first asks for /health, which says what else to ask for.
func (r *run) first(ctx context.Context) error {
	a, err := r.client.health(ctx)
	if err != nil {
		return err
	}
	h, f := r.judge.all(a)
	r.judge.health = h
	for _, s := range r.steps() {
		r.longest = max(r.longest, len(s.path))
	}
	r.done(f.check(a))
	if r.client.options.Token != "" {
		t := r.judge.token(h)
		r.done(Check{Path: "/health (token)", Verdict: t.verdict(), Note: t.note, Problems: t.problems})
	}
	return nil
}

// health returns the answer of /health, or why it is none of a sidecar.
func (c *Client) health(ctx context.Context) (*Answer, error) {
	a, err := c.Get(ctx, "/health")
	if err != nil {
		return nil, err
	}
	if what := foreign(a); what != "" {
		return nil, c.strange(a, what)
	}
	var f finding
	var h Health
	switch {
	case !f.decode(a, &h):
		return nil, c.strange(a, fmt.Sprintf("an answer (%d) that cannot be read: %s", a.Code, f.problems[0]))
	case h.Status == "":
		return nil, c.strange(a, fmt.Sprintf("JSON without a status (%d)", a.Code))
	}
	return a, nil
}

// further are the paths that the sidecar says it has beside those that every one has:
// the history, the page, and what a later release may add.
func (r *run) further() []step {
	asked := func(path string) bool {
		return slices.ContainsFunc(r.report.Checks, func(c Check) bool { return c.Path == path })
	}
	var all []step
	for _, path := range r.judge.paths {
		switch {
		case asked(path) || !strings.HasPrefix(path, "/"):
		case path == historyPath:
			all = append(all, step{path, r.judge.history})
		default:
			all = append(all, step{path, r.judge.any})
		}
	}
	return all
}

// steps are what is asked for after /health.
func (r *run) steps() []step {
	var (
		all   []step
		names = r.judge.health.Services.Keys()
	)
	for _, name := range names {
		all = append(all, step{"/health/" + url.PathEscape(name), func(a *Answer) finding {
			_, f := r.judge.service(a, name)
			return f
		}})
	}
	all = append(all,
		step{"/health/ready", r.judge.ready},
		step{"/health/live", r.judge.live},
		step{"/health?verbose", func(a *Answer) finding { return r.judge.verbose(a, "health", names) }},
		step{"/health/ready?verbose", func(a *Answer) finding { return r.judge.verbose(a, "ready", names) }},
		step{"/health/live?verbose", func(a *Answer) finding { return r.judge.verbose(a, "live", nil) }},
		step{"/health/" + nobody, r.judge.unknown},
	)
	return all
}

func (r *run) take(ctx context.Context, steps []step) {
	for _, s := range steps {
		if ctx.Err() == nil {
			r.step(ctx, s)
		}
	}
}

func (r *run) step(ctx context.Context, s step) {
	began := time.Now()
	a, f, err := r.client.settle(ctx, &r.judge, s)
	if err != nil {
		r.unanswered(s.path, began, err)
		return
	}
	r.done(f.check(a))
}

// settle asks for a path and judges the answer. Where that disagrees with /health, both
// are asked for again: things may have changed in between.
func (c *Client) settle(ctx context.Context, j *judge, s step) (*Answer, finding, error) {
	a, err := c.Get(ctx, s.path)
	if err != nil {
		return nil, finding{}, err
	}
	f := judged(a, s.judge)
	for look := 1; f.conflict != "" && look < looks; look++ {
		again, err1 := c.health(ctx)
		answer, err2 := c.Get(ctx, s.path)
		if err1 != nil || err2 != nil {
			break
		}
		j.health, _ = j.all(again)
		a, f = answer, judged(answer, s.judge)
	}
	if f.conflict != "" {
		f.wrong("%s", f.conflict)
	}
	return a, f, nil
}

// unanswered is a check that no answer came to.
func (r *run) unanswered(path string, began time.Time, err error) {
	r.done(Check{Path: path, Verdict: Fail, TimeMS: millis(time.Since(began)), Problems: []string{err.Error()}})
}

// metrics asks another address than the other checks do.
func (r *run) metrics(ctx context.Context, c *Client) {
	began := time.Now()
	a, err := c.Get(ctx, metricsPath)
	if err != nil {
		r.unanswered(metricsPath, began, err)
		return
	}
	f := r.judge.metrics(a)
	r.done(f.check(a))
}

func judged(a *Answer, judge func(*Answer) finding) finding {
	if what := foreign(a); what != "" {
		var f finding
		f.wrong("got %s: that is no answer of reims-health", what)
		return f
	}
	return judge(a)
}

func (r *run) done(c Check) {
	r.report.add(c)
	if r.suite.Done != nil {
		r.suite.Done(c, r.longest)
	}
}

// The path of the metrics, at an address of their own, and the gauge in which each
// service has one series.
const (
	metricsPath = "/metrics"
	upMetric    = "reims_health_up"
)

// metrics judges what Prometheus would get: each service must be in it.
func (j *judge) metrics(a *Answer) (f finding) {
	if f.want(a.Code == http.StatusOK, "the code is %d: want 200", a.Code); a.Code != http.StatusOK {
		return f
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(a.Body))
	if err != nil {
		f.wrong("the body is not Prometheus' text format: %v", err)
		return f
	}
	there := make(map[string]bool)
	for _, m := range families[upMetric].GetMetric() {
		there[labelOf(m, "service")] = true
	}
	for _, name := range j.health.Services.Keys() {
		f.want(there[name], "there is no %s of %s", upMetric, name)
	}
	f.note = fmt.Sprintf("%d metrics", len(families))
	return f
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
