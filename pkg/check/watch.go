package check

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Change is one thing that is not as it was when it was last seen.
type Change struct {
	At time.Time `json:"at"`
	// What is a service's name, or [Overall], or [Readiness].
	What string `json:"what"`
	// From is "" where it was not known.
	From string `json:"from"`
	To   string `json:"to"`
	// Reason and Message say why, where To is not well.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Scope is whose the fault is, where the sidecar asks its peers.
	Scope string `json:"fault_scope,omitempty"`
}

// What changes that is no service.
const (
	Overall   = "overall"
	Readiness = "readiness"
	Form      = "answer" // whether it is as the contract wants it
)

// Gone is what a service becomes that /health no longer lists.
const Gone = "gone"

// maxTrend is how many latencies of a service are remembered.
const maxTrend = 240

// Watch is what a monitor has seen so far. The zero value has seen nothing.
type Watch struct {
	// Latest is the latest look, or nil.
	Latest *Look
	// Services are as they were last seen, which is not in the latest look where that
	// found no answer.
	Services []LookService
	// Rounds counts the looks, and Failed those that failed.
	Rounds, Failed int

	ready  string
	wrong  bool
	trends map[string][]float64
}

// See takes in a look and returns what changed since what was seen before it.
func (w *Watch) See(l *Look) []Change {
	changes := w.changes(l)
	w.Rounds++
	if l.Failed {
		w.Failed++
	}
	w.Latest = l
	if l.Ready != "" {
		w.ready = l.Ready
	}
	if l.Status != NoAnswer {
		w.Services, w.wrong = l.Services, l.wrong()
	}
	w.remember(l)
	return changes
}

// Trend is a service's latest latencies in milliseconds, one a look and the latest
// last; 0 where there was none.
func (w *Watch) Trend(service string) []float64 { return w.trends[service] }

func (w *Watch) remember(l *Look) {
	if w.trends == nil {
		w.trends = make(map[string][]float64)
	}
	for _, s := range w.Services {
		latency := s.LatencyMS
		if l.Status == NoAnswer {
			latency = 0
		}
		w.trends[s.Name] = append(w.trends[s.Name], latency)
		w.trends[s.Name] = w.trends[s.Name][max(0, len(w.trends[s.Name])-maxTrend):]
	}
}

func (w *Watch) changes(l *Look) []Change {
	var all []Change
	add := func(c Change) {
		c.At = l.At
		all = append(all, c)
	}
	for _, s := range l.Services {
		if was := find(w.Services, s.Name); was.Status != s.Status || was.Reason != s.Reason || was.Scope != s.Scope {
			add(Change{What: s.Name, From: was.Status, To: s.Status, Reason: s.Reason, Message: s.Message, Scope: s.Scope})
		}
	}
	for _, was := range w.Services {
		if l.Status != NoAnswer && find(l.Services, was.Name).Name == "" {
			add(Change{What: was.Name, From: was.Status, To: Gone})
		}
	}
	if l.Ready != "" && l.Ready != w.ready {
		add(Change{What: Readiness, From: w.ready, To: l.Ready})
	}
	from := ""
	if w.Latest != nil {
		from = w.Latest.Status
	}
	if l.Status != from {
		c := Change{What: Overall, From: from, To: l.Status}
		if l.Status == NoAnswer {
			c.Message = l.Problems[0]
		}
		add(c)
	}
	return append(all, w.form(l)...)
}

// form tells when answers begin to be wrong, and when they are in order again.
func (w *Watch) form(l *Look) []Change {
	was, is := w.wrong, l.wrong()
	switch {
	case l.Status == NoAnswer || is == was:
		return nil
	case is:
		return []Change{{At: l.At, What: Form, From: "in order", To: "wrong", Message: l.Problems[0]}}
	default:
		return []Change{{At: l.At, What: Form, From: "wrong", To: "in order"}}
	}
}

// find returns the service of that name; one with no name where there is none.
func find(services []LookService, name string) LookService {
	for _, s := range services {
		if s.Name == name {
			return s
		}
	}
	return LookService{}
}

// Look is one glance at a sidecar, for a monitor.
type Look struct {
	At time.Time `json:"at"`
	// Status is the verdict over all, or "no answer".
	Status string `json:"status"`
	// Ready is ready, not_ready or, where that is not known, "".
	Ready string `json:"ready"`
	// TimeMS is how long /health took to be answered, in milliseconds.
	TimeMS   float64       `json:"time_ms"`
	Services []LookService `json:"services"`
	// Failed says that there was no answer, or a 503, or a wrong one.
	Failed bool `json:"failed"`
	// Problems are what was wrong, in words.
	Problems []string `json:"problems,omitempty"`
}

// LookService is one service at a glance.
type LookService struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Scope is whose the fault is: empty where there is none, or where no peers are asked.
	Scope string `json:"fault_scope,omitempty"`
	// LatencyMS is how long the service took to answer its latest probe, in
	// milliseconds; 0 where that failed, or is withheld.
	LatencyMS float64 `json:"latency_ms,omitempty"`
	// Since is from when the status holds; the zero time where that is withheld.
	Since time.Time `json:"since,omitzero"`
}

// NoAnswer is the status of a sidecar that cannot be asked.
const NoAnswer = "no answer"

// Look asks for /health and for readiness, and judges both. A sidecar that does not answer is no error
// but what is seen.
func (c *Client) Look(ctx context.Context, maxAge time.Duration) *Look {
	a, err := c.health(ctx)
	if err != nil {
		return &Look{At: time.Now(), Status: NoAnswer, Services: []LookService{}, Failed: true, Problems: []string{err.Error()}}
	}
	j := &judge{maxAge: maxAge, kinds: c.kinds()}
	h, f := j.all(a)
	j.health = h
	l := &Look{At: a.At, Status: h.Status, TimeMS: millis(a.Took), Services: []LookService{}, Problems: f.problems, Failed: f.verdict() == Fail}
	for _, name := range h.Services.Keys() {
		l.Services = append(l.Services, lookService(h, name))
	}
	c.lookReady(ctx, j, l)
	return l
}

// lookReady adds what /health/ready says, and what is wrong with it.
func (c *Client) lookReady(ctx context.Context, j *judge, l *Look) {
	a, f, err := c.settle(ctx, j, step{readyPath, j.ready})
	if err != nil {
		l.Failed, l.Problems = true, append(l.Problems, err.Error())
		return
	}
	l.Failed = l.Failed || f.verdict() == Fail
	for _, problem := range f.problems {
		l.Problems = append(l.Problems, a.Path+": "+problem)
	}
	var o Object
	_ = o.UnmarshalJSON(a.Body) // what is no object has been found to be wrong
	if status := o.Text("status"); status == ready || status == notReady {
		l.Ready = status
	}
}

// wrong reports whether an answer came that is not in order.
func (l *Look) wrong() bool { return l.Status != NoAnswer && len(l.Problems) > 0 }

func lookService(h *Health, name string) LookService {
	d := h.Detail(name)
	latency, _ := d.Number("latency_ms")
	since, _ := time.Parse(time.RFC3339, d.Text("since"))
	return LookService{
		Name: name, Status: h.Services.Text(name), Reason: d.Text("reason"), Message: d.Text("message"),
		Scope:     d.Text("fault_scope"),
		LatencyMS: latency, Since: since,
	}
}

const historyPath = "/health/history"

// history is the body of /health/history.
type history struct {
	Success   bool      `json:"success"`
	Since     time.Time `json:"since"`
	Services  Object    `json:"services"`
	Timestamp time.Time `json:"timestamp"`
}

// results are what became of a service's probes.
type results struct {
	Results []struct {
		Time      time.Time `json:"time"`
		LatencyMS float64   `json:"latency_ms"`
	} `json:"results"`
}

func (j *judge) history(a *Answer) finding {
	var (
		f finding
		h history
	)
	if !f.decode(a, &h, "success", "since", "services", "timestamp") {
		return f
	}
	f.codeIs(a, false, "history")
	f.want(h.Success, "success is false")
	f.want(slices.Equal(h.Services.Keys(), j.health.Services.Keys()), "services has %s, and /health %s",
		strings.Join(h.Services.Keys(), ", "), strings.Join(j.health.Services.Keys(), ", "))
	f.fresh(a, h.Timestamp, j.maxAge)
	f.note = "since " + h.Since.UTC().Format(time.RFC3339)
	return f
}

// any judges what this program knows no more of than its path.
func (j *judge) any(a *Answer) finding {
	var f finding
	f.codeIs(a, false, "unknown")
	f.note, _, _ = strings.Cut(a.Header.Get("Content-Type"), ";")
	f.note = Printable(f.note)
	return f
}

// past returns the latencies that the sidecar remembers of a service, in milliseconds,
// and when the first was measured; none where it keeps no history.
func (c *Client) past(ctx context.Context, service string) (latencies []float64, since time.Time) {
	a, err := c.Get(ctx, historyPath+"?service="+url.QueryEscape(service))
	if err != nil || a.Code != http.StatusOK {
		return nil, time.Time{}
	}
	var (
		h history
		r results
	)
	if json.Unmarshal(a.Body, &h) != nil {
		return nil, time.Time{}
	}
	if value, ok := h.Services.Get(service); !ok || json.Unmarshal(value, &r) != nil {
		return nil, time.Time{}
	}
	for _, result := range r.Results {
		if result.LatencyMS <= 0 {
			continue
		}
		if latencies = append(latencies, result.LatencyMS); len(latencies) == 1 {
			since = result.Time
		}
	}
	return latencies, since
}
