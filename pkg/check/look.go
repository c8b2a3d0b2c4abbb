package check

import (
	"context"
	"time"
)

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
		LatencyMS: latency, Since: since,
	}
}
