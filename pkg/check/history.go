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
