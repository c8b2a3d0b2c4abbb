package check

import (
	"context"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Look is one glance at a sidecar: every service, and readiness.
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

	// others decide readiness beside the services: an override or the shutdown, with what to do.
	others []string
	// asOf is the timestamp of /health, and readyAsOf that of /health/ready, by the sidecar's
	// clock; the zero time where there is none.
	asOf, readyAsOf time.Time
}

// LookService is one service at a glance.
type LookService struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// NextStep says what to do about the reason, and Docs is the address of what explains it;
	// each is empty where the sidecar does not tell.
	NextStep string `json:"next_step,omitempty"`
	Docs     string `json:"docs,omitempty"`
	// Readiness is what the service means for that of the Pod now; "" where that is not known.
	Readiness ReadyState `json:"readiness,omitempty"`
	// Scope is whose the fault is: empty where there is none, or where no peers are asked.
	Scope string `json:"fault_scope,omitempty"`
	// Fault is the scope with the counts of peers, for people.
	Fault string `json:"fault,omitempty"`
	// LatencyMS is how long the service took to answer its latest probe, in
	// milliseconds; 0 where that failed, or is withheld.
	LatencyMS float64 `json:"latency_ms,omitempty"`
	// Since is from when the status holds; the zero time where that is withheld.
	Since time.Time `json:"since,omitzero"`
	// Checked is when the latest probe ended; the zero time where that is withheld.
	Checked time.Time `json:"checked_at,omitzero"`
	// Facts are all that is told of the service, for people.
	Facts []Fact `json:"-"`

	// Failed counts the probes that failed, of those that were run in place; Problems says how,
	// and Error is the driver's own text. Of a sidecar they are empty.
	Failed   int      `json:"failed,omitempty"`
	Problems []string `json:"problems,omitempty"`
	Error    string   `json:"error,omitempty"`
}

// ReadyState is what a service means for the readiness of its Pod.
type ReadyState string

// What a service can mean for readiness.
const (
	Fulfilled ReadyState = "ready"     // the Pod may be ready as far as this service goes
	Blocking  ReadyState = "not_ready" // the Pod is not ready because of it
	Ignored   ReadyState = "ignored"   // it never matters
	Held      ReadyState = "held"      // it would block, and the Pod is held ready: its peers fail too
	InGrace   ReadyState = "grace"     // it will block when its grace ends
)

// NoAnswer is the status of a sidecar that cannot be asked.
const NoAnswer = "no answer"

// Down reports whether the service fails a run: it is not usable, or one of the probes that
// were run in place failed.
func (s *LookService) Down() bool {
	return s.Failed > 0 || s.Status == health.Unhealthy.String() || s.Status == health.Unknown.String()
}

// Look asks for /health and for readiness, and judges both. A sidecar that does not answer is
// no error but what is seen.
func (c *Client) Look(ctx context.Context, maxAge time.Duration) *Look {
	l, _, err := c.look(ctx, maxAge)
	if err != nil {
		return &Look{At: time.Now(), Status: NoAnswer, Services: []LookService{}, Failed: true, Problems: []string{err.Error()}}
	}
	return l
}

// look returns an error where no sidecar answers.
func (c *Client) look(ctx context.Context, maxAge time.Duration) (*Look, *judge, error) {
	a, err := c.health(ctx)
	if err != nil {
		return nil, nil, err
	}
	j := &judge{maxAge: maxAge, kinds: c.kinds()}
	h, f := j.all(a)
	j.health = h
	l := &Look{At: a.At, Status: h.Status, TimeMS: millis(a.Took), Services: []LookService{}, Problems: f.problems, Failed: f.verdict() == Fail, asOf: h.Timestamp}
	for _, name := range h.Services.Keys() {
		l.Services = append(l.Services, lookService(name, h.Services.Text(name), h.Detail(name), j.kinds, a.At))
	}
	c.lookReady(ctx, j, l)
	return l, j, nil
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
	var o, details Object
	_ = o.UnmarshalJSON(a.Body) // what is no object has been found to be wrong
	if status := o.Text("status"); status == ready || status == notReady {
		l.Ready, l.readyAsOf = status, o.Time("timestamp")
	}
	if value, ok := o.Get("details"); ok {
		_ = details.UnmarshalJSON(value)
	}
	for _, source := range details.Keys() {
		if find(l.Services, source).Name == "" {
			l.others = append(l.others, other(&Health{Details: details}, source))
		}
	}
	c.lookPolicies(ctx, l)
}

// other says what decides readiness beside the services.
func other(h *Health, source string) string {
	cause := h.Detail(source)
	known, _ := (*health.Kind)(nil).Explain(health.Reason(cause.Text("reason")))
	text := source + ": " + known.Message
	if next := known.Next; next != "" {
		text += "; next: " + next
	}
	return text
}

// lookPolicies adds what each service means for readiness, which the text form alone tells.
func (c *Client) lookPolicies(ctx context.Context, l *Look) {
	a, err := c.Get(ctx, readyPath+"?verbose")
	if err != nil || foreign(a) != "" {
		return
	}
	for line := range strings.Lines(string(a.Body)) {
		for i := range l.Services {
			if lineOn(line, l.Services[i].Name) {
				l.Services[i].Readiness = readinessOf(line)
			}
		}
	}
}

// readinessOf reads a line of /health/ready?verbose.
func readinessOf(line string) ReadyState {
	switch _, words, _ := strings.Cut(line, " "); {
	case strings.HasPrefix(line, "[-]"):
		return Blocking
	case strings.HasPrefix(words, "excluded: "):
		return Ignored
	case strings.HasPrefix(words, "ok: held: "):
		return Held
	case strings.HasPrefix(words, "ok: in grace: "):
		return InGrace
	default:
		return Fulfilled
	}
}

// wrong reports whether an answer came that is not in order.
func (l *Look) wrong() bool { return l.Status != NoAnswer && len(l.Problems) > 0 }

func lookService(name, status string, d Object, kinds kinds, now time.Time) LookService {
	latency, _ := d.Number("latency_ms")
	return LookService{
		Name: name, Status: status, Reason: d.Text("reason"), Message: d.Text("message"),
		NextStep: d.Text("next_step"), Docs: d.Text("docs"),
		Scope: d.Text("fault_scope"), Fault: scopeText(d),
		LatencyMS: latency, Since: d.Time("since"), Checked: d.Time("checked_at"),
		Facts: kinds.facts(name, d, now),
	}
}
