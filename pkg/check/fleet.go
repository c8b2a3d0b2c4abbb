package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// fleetPath is where the fleet program lists its workloads.
const fleetPath = "/api/v1/workloads"

// Fleet is what the fleet program found of all workloads.
type Fleet struct {
	// URL is the fleet program's.
	URL string `json:"url"`
	// Success says that no workload is unhealthy or unknown, and that what is said is not old.
	Success bool `json:"success"`
	// Verdict says why, in one sentence.
	Verdict   string          `json:"verdict"`
	Workloads []FleetWorkload `json:"workloads"`
}

// FleetWorkload is one workload.
type FleetWorkload struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	Counts    struct {
		Known     int `json:"known"`
		Answering int `json:"answering"`
		Ready     int `json:"ready"`
	} `json:"counts"`
	Failures map[string]int `json:"failures"`
	Services []FleetService `json:"services"`
	// IntervalMS is how often its Pods are asked. AgeMS is how long ago that was summed up.
	IntervalMS int64 `json:"interval_ms"`
	AgeMS      int64 `json:"age_ms"`
}

// FleetService is what all Pods of a workload say of one service.
type FleetService struct {
	Name    string         `json:"name"`
	Status  string         `json:"status"`
	ForMS   int64          `json:"for_ms"`
	Pods    map[string]int `json:"pods"`
	Reasons []struct {
		Reason string `json:"reason"`
		Pods   int    `json:"pods"`
	} `json:"reasons"`
	Extent string   `json:"extent"`
	Names  []string `json:"names"`
	// Where says in a sentence which Pods the service is unhealthy for; "" for none.
	Where string `json:"where,omitempty"`
}

// Failing is how many Pods call the service unhealthy.
func (s *FleetService) Failing() int { return s.Pods[health.Unhealthy.String()] }

// Telling is how many Pods can tell how the service is: those that answer and have a result.
func (s *FleetService) Telling() int {
	return s.Failing() + s.Pods[health.Degraded.String()] + s.Pods[health.Healthy.String()]
}

// Fleet asks the fleet program at the client's address for all workloads. What is older than
// maxAge and the interval of the workload together is not trusted. The error says that none
// answers there.
func (c *Client) Fleet(ctx context.Context, maxAge time.Duration) (*Fleet, error) {
	a, err := c.Get(ctx, fleetPath)
	if err != nil {
		return nil, err
	}
	f := &Fleet{URL: c.URL()}
	var body struct {
		Workloads *[]FleetWorkload `json:"workloads"`
	}
	if a.Code != http.StatusOK || json.Unmarshal(a.Body, &body) != nil || body.Workloads == nil {
		words := FleetProgram.words()
		return nil, fmt.Errorf("GET %s%s: %d: %s: %s", c.URL(), fleetPath, a.Code, words.none, words.elsewhere)
	}
	f.Workloads = *body.Workloads
	for i := range f.Workloads {
		f.Workloads[i].clean()
	}
	f.conclude(maxAge)
	return f, nil
}

// clean makes all texts printable: they come from whatever answered.
func (w *FleetWorkload) clean() {
	w.Namespace, w.Name, w.Status = Printable(w.Namespace), Printable(w.Name), Printable(w.Status)
	w.Failures = cleanKeys(w.Failures)
	for i := range w.Services {
		s := &w.Services[i]
		s.Name, s.Status, s.Extent, s.Where = Printable(s.Name), Printable(s.Status), Printable(s.Extent), Printable(s.Where)
		s.Pods = cleanKeys(s.Pods)
		for n := range s.Reasons {
			s.Reasons[n].Reason = Printable(s.Reasons[n].Reason)
		}
		for n := range s.Names {
			s.Names[n] = Printable(s.Names[n])
		}
	}
}

func cleanKeys(counts map[string]int) map[string]int {
	if counts == nil {
		return nil
	}
	clean := make(map[string]int, len(counts))
	for key, n := range counts {
		clean[Printable(key)] += n
	}
	return clean
}

// conclude sets the verdict.
func (f *Fleet) conclude(maxAge time.Duration) {
	var bad, good []string
	f.Success = len(f.Workloads) > 0
	for i := range f.Workloads {
		w := &f.Workloads[i]
		name := w.Namespace + "/" + w.Name
		old := time.Duration(w.AgeMS-w.IntervalMS)*time.Millisecond > maxAge
		switch {
		case old:
			bad = append(bad, fmt.Sprintf("%s was last looked at %s ago", name, Span(time.Duration(w.AgeMS)*time.Millisecond)))
		case w.Status == health.Healthy.String():
			good = append(good, name)
			continue
		default:
			bad = append(bad, name+" is "+w.Status+w.because())
		}
		if old || w.Status != health.Degraded.String() {
			f.Success = false
		}
	}
	switch {
	case len(f.Workloads) == 0:
		f.Verdict = "the fleet program knows no workload, or has just started"
	case len(bad) == 0 && len(good) == 1:
		f.Verdict = good[0] + " is healthy"
	case len(bad) == 0:
		f.Verdict = fmt.Sprintf("all %d workloads are healthy", len(good))
	default:
		f.Verdict = strings.Join(bad, "; ")
	}
}

// because names the services that are not healthy.
func (w *FleetWorkload) because() string {
	var names []string
	for _, s := range w.Services {
		if s.Status != health.Healthy.String() {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		if w.Counts.Answering < w.Counts.Known {
			return fmt.Sprintf(" (%d of %d Pods answer)", w.Counts.Answering, w.Counts.Known)
		}
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
