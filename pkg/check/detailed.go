package check

import (
	"context"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Details is what [Client.Detailed] found.
type Details struct {
	URL string `json:"url,omitempty"`
	// Direct says that no sidecar was asked: the probes were run in place.
	Direct  bool   `json:"direct,omitempty"`
	Success bool   `json:"success"`
	Status  string `json:"status"`
	// Ready is, of probes that were run in place, what /health/ready of a new Pod would
	// say: ready or not_ready. NotReady tells why not: "database: schema_behind: …".
	Ready    string           `json:"ready,omitempty"`
	NotReady []string         `json:"not_ready,omitempty"`
	Services []ServiceDetails `json:"services"`
}

// ServiceDetails is one service, asked for several times.
type ServiceDetails struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Details Object `json:"details"`
	// Facts are the details as people read them.
	Facts []Fact `json:"-"`
	// Answers is how long the sidecar took to answer, from its memory; of a probe that
	// was run in place, how long all of it took: the first one's dialling is in it.
	Answers *Distribution `json:"answers"`
	// Probes is how long the service itself took to answer the sidecar's probes: those
	// of /health/history or, where there is none, those seen meanwhile, one each however
	// often it was asked for. Nil where none was answered.
	Probes *Distribution `json:"probes"`
	// ProbesSince is when the first of the history was; the zero time where there is none.
	ProbesSince time.Time `json:"probes_since,omitzero"`
	// Failed counts the requests that were answered with a 503, or wrongly, or not at
	// all; of probes that were run in place, those that failed.
	Failed int `json:"failed"`
	// Problems are what was wrong, each once.
	Problems []string `json:"problems,omitempty"`
	// Error is the driver's own text, which no sidecar tells: only a probe that is run
	// in place has it.
	Error string `json:"error,omitempty"`

	answers []float64
	probes  []float64
	seen    map[string]bool // checked_at of the probes, and problems
}

// Measure is how [Client.Detailed] goes about it.
type Measure struct {
	// Count is how often each service is asked for. At least 1.
	Count int
	// StopAtFailure asks no more for a service whose answer failed: it comes from the
	// sidecar's memory, and the next one tells no more.
	StopAtFailure bool
	// MaxAge is as in [Suite].
	MaxAge time.Duration
	// Done, when set, is called after each request with the number of those done.
	Done func(done int)
}

// Detailed asks for each service Count times, all of them in turn. The error is as
// that of [Client.All].
func (c *Client) Detailed(ctx context.Context, m Measure) (*Details, error) {
	a, err := c.health(ctx)
	if err != nil {
		return nil, err
	}
	j := &judge{maxAge: m.MaxAge, kinds: c.kinds()}
	h, _ := j.all(a)
	j.health = h
	d := &Details{URL: c.URL(), Status: h.Status, Services: []ServiceDetails{}}
	for _, name := range h.Services.Keys() {
		d.Services = append(d.Services, ServiceDetails{Name: name, seen: make(map[string]bool)})
	}
	done := 0
	for range m.Count {
		for n := range d.Services {
			if m.StopAtFailure && d.Services[n].Failed > 0 {
				continue
			}
			c.measure(ctx, j, &d.Services[n])
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if done++; m.Done != nil {
				m.Done(done)
			}
		}
	}
	for i := range d.Services {
		s := &d.Services[i]
		if latencies, since := c.latencies(ctx, s.Name); len(latencies) > 0 {
			s.probes, s.ProbesSince = latencies, since
		}
	}
	d.sumUp()
	return d, nil
}

func (d *Details) sumUp() {
	d.Success = true
	for i := range d.Services {
		s := &d.Services[i]
		s.Answers, s.Probes = Distribute(s.answers), Distribute(s.probes)
		d.Success = d.Success && s.Failed == 0
	}
}

func (c *Client) measure(ctx context.Context, j *judge, s *ServiceDetails) {
	a, err := c.Get(ctx, "/health/"+url.PathEscape(s.Name))
	if err != nil {
		s.Failed++
		s.problem(err.Error())
		return
	}
	var body *Service
	f := judged(a, func(a *Answer) (f finding) {
		body, f = j.service(a, s.Name)
		return f
	})
	for _, problem := range f.problems {
		s.problem(problem)
	}
	if f.verdict() == Fail {
		s.Failed++
	}
	s.answers = append(s.answers, millis(a.Took))
	if body != nil {
		s.add(body)
		s.Facts = j.kinds.facts(s.Name, body.Details, a.At)
	}
}

// add takes in an answer: the latest counts, and each probe once.
func (s *ServiceDetails) add(body *Service) {
	s.Status, s.Details = body.Status, body.Details
	latency, ok := body.Details.Number("latency_ms")
	if probe := body.Details.Text("checked_at"); ok && !s.seen[probe] {
		s.seen[probe] = true
		s.probes = append(s.probes, latency)
	}
}

func (s *ServiceDetails) problem(text string) {
	if text = strings.TrimSpace(text); !s.seen[text] {
		s.seen[text] = true
		s.Problems = append(s.Problems, text)
	}
}

// Distribution sums up times, in milliseconds.
type Distribution struct {
	Count int     `json:"count"`
	Min   float64 `json:"min_ms"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
	// Buckets is the histogram, from the first that is not empty to the last.
	Buckets []Bucket `json:"histogram"`
}

// Bucket counts the times above From, up to and with To, in milliseconds. The first
// bucket begins at 0.
type Bucket struct {
	From  float64 `json:"from_ms"`
	To    float64 `json:"to_ms"`
	Count int     `json:"count"`
}

// Distribute sums up times in milliseconds. A percentile is the least of them that so
// many are at or below. It is nil where there are none.
func Distribute(times []float64) *Distribution {
	if len(times) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(p float64) float64 { return sorted[max(1, int(math.Ceil(p*float64(len(sorted)))))-1] }
	return &Distribution{
		Count: len(sorted), Min: sorted[0], P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: sorted[len(sorted)-1],
		Buckets: buckets(sorted),
	}
}

// bounds are a bucket's upper ends: 1, 2 and 5 of each power of ten, since latencies
// spread over several.
func bounds() []float64 {
	var all []float64
	for power := -2.0; power <= 5; power++ {
		for _, n := range []float64{1, 2, 5} {
			all = append(all, math.Round(n*math.Pow(10, power+2))/100)
		}
	}
	return append(all, math.Inf(1))
}

func buckets(sorted []float64) []Bucket {
	var all []Bucket
	from := 0.0
	for _, to := range bounds() {
		n, _ := slices.BinarySearchFunc(sorted, to, func(v, to float64) int {
			if v <= to {
				return -1
			}
			return 1
		})
		if len(sorted) > 0 && (n > 0 || len(all) > 0) {
			all = append(all, Bucket{from, min(to, math.MaxFloat64), n})
		}
		sorted, from = sorted[n:], to
	}
	for all[len(all)-1].Count == 0 {
		all = all[:len(all)-1]
	}
	return all
}
