package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/rendered"
)

// The documents of the API; docs/fleet.md describes them. They have ages instead of times, so that
// clients need not compare clocks.

type workloadsDocument struct {
	Workloads []workloadDocument `json:"workloads"`
	Timestamp string             `json:"timestamp"`
}

type workloadDocument struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Service     string            `json:"service"`
	Status      string            `json:"status"`
	Counts      countsDocument    `json:"counts"`
	Failures    map[Failure]int   `json:"failures"`
	Services    []serviceDocument `json:"services"`
	IntervalMS  int64             `json:"interval_ms"`
	AgeMS       int64             `json:"age_ms"`
	OldestAgeMS *int64            `json:"oldest_answer_age_ms"`
	Changes     []changeDocument  `json:"changes,omitempty"`
	Pods        []podDocument     `json:"pods,omitempty"`
}

type countsDocument struct {
	Known     int `json:"known"`
	Answering int `json:"answering"`
	Ready     int `json:"ready"`
}

type serviceDocument struct {
	Name    string           `json:"name"`
	Status  string           `json:"status"`
	ForMS   int64            `json:"for_ms"`
	Pods    map[string]int   `json:"pods"`
	Reasons []reasonDocument `json:"reasons"`
	Extent  string           `json:"extent"`
	Names   []string         `json:"names"`
	Where   string           `json:"where,omitempty"` // extent, names and counts as a sentence
}

type reasonDocument struct {
	Reason health.Reason `json:"reason"`
	Pods   int           `json:"pods"`
}

type changeDocument struct {
	AgeMS   int64         `json:"age_ms"`
	Service string        `json:"service,omitempty"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Extent  string        `json:"extent,omitempty"`
	Failing int           `json:"failing,omitempty"`
	Reason  health.Reason `json:"reason,omitempty"`
}

type podDocument struct {
	Name     string               `json:"name"`
	Node     string               `json:"node"`
	Zone     string               `json:"zone"`
	Ready    bool                 `json:"ready"`
	Failure  Failure              `json:"failure,omitempty"`
	AgeMS    *int64               `json:"answer_age_ms"`
	SilentMS *int64               `json:"silent_for_ms,omitempty"`
	Services []podServiceDocument `json:"services"`
}

type podServiceDocument struct {
	Name   string        `json:"name"`
	Status string        `json:"status"`
	Reason health.Reason `json:"reason,omitempty"`
	Since  string        `json:"since,omitempty"` // by the Pod's clock
	Facts  []fact        `json:"facts,omitempty"`
}

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

func ageMS(then, now time.Time) *int64 {
	if then.IsZero() {
		return nil
	}
	age := max(0, now.Sub(then)).Milliseconds()
	return &age
}

func newWorkloadDocument(s *Summary, now time.Time) workloadDocument {
	w := s.Target.Workload
	d := workloadDocument{
		Namespace: w.Namespace, Name: w.Name, Service: s.Target.Service, Status: s.Status.String(),
		Counts: countsDocument{s.Known, s.Answering, s.Ready}, Failures: s.Failures, Services: []serviceDocument{},
		IntervalMS: s.Target.interval().Milliseconds(), AgeMS: *ageMS(s.At, now), OldestAgeMS: ageMS(s.Oldest, now),
	}
	for _, service := range s.Services {
		each := serviceDocument{
			Name: service.Name, Status: service.Status.String(), ForMS: *ageMS(service.Since, now), Pods: map[string]int{},
			Reasons: []reasonDocument{}, Extent: service.Extent.label(), Names: append([]string{}, service.Names...),
			Where: service.verdict().Sentence(),
		}
		for _, status := range health.Statuses() {
			each.Pods[status.String()] = service.Pods[status]
		}
		for _, r := range service.Reasons {
			each.Reasons = append(each.Reasons, reasonDocument(r))
		}
		d.Services = append(d.Services, each)
	}
	return d
}

func newPodDocument(p *PodSummary, now time.Time) podDocument {
	d := podDocument{
		Name: p.Name, Node: p.Node, Zone: p.Zone, Ready: p.Ready, Failure: p.Answer.Failure, SilentMS: ageMS(p.Silent, now),
		Services: []podServiceDocument{},
	}
	if p.Answers() {
		d.AgeMS = ageMS(p.Answer.At, now)
	}
	for _, s := range p.Answer.Services {
		d.Services = append(d.Services, newPodServiceDocument(s))
	}
	return d
}

func newPodServiceDocument(s ServiceAnswer) podServiceDocument {
	d := podServiceDocument{Name: s.Name, Status: s.Status.String(), Reason: s.Reason}
	if !s.Since.IsZero() {
		d.Since = s.Since.Format(timeFormat)
	}
	return d
}

func newChangeDocument(c Change, now time.Time) changeDocument {
	d := changeDocument{
		AgeMS: *ageMS(c.At, now), Service: c.Service, From: c.From.Status.String(), To: c.To.Status.String(),
		Failing: c.To.Failing, Reason: c.To.Reason,
	}
	if c.Service != "" {
		d.Extent = c.To.Extent.label()
	}
	return d
}

// listWorkloads serves GET /api/v1/workloads.
func (p *handler) listWorkloads(w http.ResponseWriter, r *http.Request) {
	answerJSON(w, r, p.cache.get("api", func(now time.Time) *rendered.Response {
		all := workloadsDocument{Workloads: []workloadDocument{}, Timestamp: now.UTC().Format(timeFormat)}
		for _, s := range p.c.Summaries() {
			all.Workloads = append(all.Workloads, newWorkloadDocument(s, now))
		}
		return renderJSON(http.StatusOK, all)
	}))
}

// oneWorkload serves GET /api/v1/workloads/NAMESPACE/NAME.
func (p *handler) oneWorkload(w http.ResponseWriter, r *http.Request) {
	s := p.summaryOf(r)
	if s == nil {
		notFound(w, r)
		return
	}
	answerJSON(w, r, p.cache.get("api "+s.Target.Workload.String(), func(now time.Time) *rendered.Response {
		d := newWorkloadDocument(s, now)
		for i := range s.Pods {
			d.Pods = append(d.Pods, newPodDocument(&s.Pods[i], now))
		}
		for _, c := range p.c.Changes(s.Target.Workload) {
			d.Changes = append(d.Changes, newChangeDocument(c, now))
		}
		return renderJSON(http.StatusOK, d)
	}))
}

// onePod serves GET /api/v1/workloads/NAMESPACE/NAME/pods/POD. It asks the Pod now.
func (p *handler) onePod(w http.ResponseWriter, r *http.Request) {
	_, pod := p.podOf(r)
	if pod == nil {
		notFound(w, r)
		return
	}
	details, err := p.c.details(r.Context(), workloadOf(r), pod.UID)
	switch {
	case errors.Is(err, errGone):
		notFound(w, r)
		return
	case err != nil:
		w.Header().Set("Retry-After", "1")
		answerJSON(w, r, renderJSON(http.StatusServiceUnavailable, errorDocument{err.Error()}))
		return
	}
	now := time.Now()
	d := newPodDocument(&PodSummary{Pod: pod.Pod, Answer: details.answer, Silent: pod.Silent}, now)
	for i := range d.Services {
		d.Services[i].Facts = details.facts[d.Services[i].Name]
	}
	answerJSON(w, r, renderJSON(http.StatusOK, d))
}

func workloadOf(r *http.Request) Workload {
	return Workload{r.PathValue("namespace"), r.PathValue("name")}
}

// summaryOf returns the newest summary of the workload in the path, or nil.
func (p *handler) summaryOf(r *http.Request) *Summary { return p.c.Summary(workloadOf(r)) }

// podOf returns the Pod in the path, or nil, and the summary of its workload, or nil.
func (p *handler) podOf(r *http.Request) (*Summary, *PodSummary) {
	s := p.summaryOf(r)
	if s == nil {
		return nil, nil
	}
	for i := range s.Pods {
		if s.Pods[i].Name == r.PathValue("pod") {
			return s, &s.Pods[i]
		}
	}
	return s, nil
}

type errorDocument struct {
	Error string `json:"error"`
}

func notFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answerJSON(w, r, renderJSON(http.StatusMethodNotAllowed, errorDocument{"only GET and HEAD are allowed"}))
		return
	}
	answerJSON(w, r, renderJSON(http.StatusNotFound, errorDocument{"this workload or Pod does not exist, or the first round of the workload is not over yet: see /api/v1/workloads"}))
}

func renderJSON(code int, document any) *rendered.Response {
	var body bytes.Buffer
	_ = json.NewEncoder(&body).Encode(document) // encoding the documents above does not fail
	return rendered.New(code, []string{"application/json"}, body.Bytes())
}

func answerJSON(w http.ResponseWriter, r *http.Request, response *rendered.Response) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	response.Write(w, r)
}
