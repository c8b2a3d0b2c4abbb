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

const historyPath = "/health/history"

// history is the body of /health/history.
type history struct {
	Success   bool      `json:"success"`
	Since     time.Time `json:"since"`
	Services  Object    `json:"services"`
	Readiness []changed `json:"readiness"`
	Timestamp time.Time `json:"timestamp"`
}

// results are what became of a service's probes.
type results struct {
	Results []struct {
		Time      time.Time `json:"time"`
		LatencyMS float64   `json:"latency_ms"`
	} `json:"results"`
	Changes []changed `json:"changes"`
}

// changed is one change of a verdict or of readiness.
type changed struct {
	Time   time.Time `json:"time"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}

func (c changed) of(what string) Change {
	return Change{At: c.Time.Local(), What: what, From: Printable(c.From), To: Printable(c.To), Reason: Printable(c.Reason)}
}

// of returns what is known of a service; nothing where that cannot be read.
func (h *history) of(service string) (r results) {
	if value, ok := h.Services.Get(service); !ok || json.Unmarshal(value, &r) != nil {
		return results{}
	}
	return r
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

// past asks for what the sidecar remembers, of one service or, for "", of all; nil where it
// keeps no history.
func (c *Client) past(ctx context.Context, service string) *history {
	path := historyPath
	if service != "" {
		path += "?service=" + url.QueryEscape(service)
	}
	a, err := c.Get(ctx, path)
	var h history
	if err != nil || a.Code != http.StatusOK || foreign(a) != "" || json.Unmarshal(a.Body, &h) != nil {
		return nil
	}
	return &h
}

// latencies returns those that the sidecar remembers of a service, in milliseconds, and when
// the first was measured; none where it keeps no history.
func (c *Client) latencies(ctx context.Context, service string) (latencies []float64, since time.Time) {
	h := c.past(ctx, service)
	if h == nil {
		return nil, time.Time{}
	}
	for _, result := range h.of(service).Results {
		if result.LatencyMS <= 0 {
			continue
		}
		if latencies = append(latencies, result.LatencyMS); len(latencies) == 1 {
			since = result.Time
		}
	}
	return latencies, since
}

// Past is what a sidecar remembers of the last hour, for a monitor to begin with.
type Past struct {
	// Changes are those of all services and of readiness, the latest last.
	Changes []Change

	trends  map[string][]float64
	checked map[string]time.Time
}

// Past asks what the sidecar remembers, after the first look. Its changes are those that the
// look has seen the outcome of: what changed since then is for the next look to tell. It is
// nil where the sidecar keeps no history, or does not answer.
func (c *Client) Past(ctx context.Context, first *Look) *Past {
	h := c.past(ctx, "")
	if h == nil {
		return nil
	}
	p := &Past{trends: make(map[string][]float64), checked: make(map[string]time.Time)}
	for _, name := range h.Services.Keys() {
		r := h.of(name)
		for _, result := range r.Results {
			p.trends[name] = append(p.trends[name], max(0, result.LatencyMS))
			p.checked[name] = result.Time
		}
		p.add(name, r.Changes, first.asOf)
	}
	p.add(Readiness, h.Readiness, first.readyAsOf)
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return a.At.Compare(b.At) })
	return p
}

// add takes in the changes up to a moment, or all where it is not known.
func (p *Past) add(what string, changes []changed, until time.Time) {
	for _, change := range changes {
		if until.IsZero() || !change.Time.After(until) {
			p.Changes = append(p.Changes, change.of(what))
		}
	}
}

// Begin takes in what a sidecar remembers, before the first look that it answered. P may be nil.
func (w *Watch) Begin(p *Past) {
	if p == nil {
		return
	}
	w.trends, w.checked = make(map[string][]float64), make(map[string]time.Time)
	for name, latencies := range p.trends {
		w.trends[name] = slices.Clone(latencies[max(0, len(latencies)-maxTrend):])
		w.checked[name] = p.checked[name]
	}
}
