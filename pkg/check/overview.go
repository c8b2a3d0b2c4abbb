package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Overview is every service at a glance, and what that comes to.
type Overview struct {
	// URL is the sidecar's; empty for probes that were run in place.
	URL string `json:"url,omitempty"`
	// Direct says that no sidecar was asked: the probes were run in place.
	Direct bool `json:"direct,omitempty"`
	// Success says that no service is down, that the Pod is ready, and that the answers are in
	// order.
	Success bool `json:"success"`
	// Verdict says why, in one sentence.
	Verdict string `json:"verdict"`
	*Look
}

// Overview asks for every service and for readiness. The error says that no sidecar
// answers, as that of [Client.All].
func (c *Client) Overview(ctx context.Context, maxAge time.Duration) (*Overview, error) {
	l, j, err := c.look(ctx, maxAge)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	if c.options.Token != "" {
		t := j.token(j.health)
		l.Problems, l.Failed = append(l.Problems, t.problems...), l.Failed || len(t.problems) > 0
	}
	o := &Overview{URL: c.URL(), Look: l}
	o.conclude("the Pod is ready", "the Pod is not ready")
	return o, nil
}

// Probed makes it the overview of probes that were run in place, of which d has the counts.
func (o *Overview) Probed(d *Details) {
	o.URL, o.Direct = "", true
	for i := range o.Services {
		s, probed := &o.Services[i], &d.Services[i]
		s.Failed, s.Problems, s.Error = probed.Failed, probed.Problems, probed.Error
	}
	o.conclude("a Pod with this configuration would become ready", "a Pod with this configuration would not become ready")
}

// conclude sets the verdict. Yes and no say what readiness comes to.
func (o *Overview) conclude(yes, no string) {
	o.Success = !o.Failed         // which it is where the Pod is not ready, too
	parts := make([]string, 0, 3) // what is wrong with the answers, the services, readiness
	if len(o.Problems) > 0 {
		parts = append(parts, "the answers are not in order")
	}
	parts = append(parts, o.services())
	switch o.Ready {
	case ready:
		parts = append(parts, strings.Join(append([]string{yes}, o.others...), ": "))
	case notReady:
		parts = append(parts, strings.Join(append([]string{no}, o.others...), ": "))
	}
	for _, s := range o.Services {
		o.Success = o.Success && !s.Down()
	}
	o.Verdict = strings.Join(parts, "; ")
}

// services says which services are not healthy.
func (o *Overview) services() string {
	names := make(map[string][]string)
	for _, s := range o.Services {
		status := s.Status
		if s.Failed > 0 && s.Status != health.Unhealthy.String() { // and the last probe did not
			status = "failing"
		}
		names[status] = append(names[status], s.Name)
	}
	var parts []string
	for _, group := range []struct{ status, one, many string }{
		{health.Unhealthy.String(), "is unhealthy", "are unhealthy"},
		{"failing", "failed at times", "failed at times"},
		{health.Unknown.String(), "has no result yet", "have no result yet"},
		{health.Degraded.String(), "is degraded", "are degraded"},
	} {
		if n := names[group.status]; len(n) > 0 {
			parts = append(parts, enumerate(n, len(o.Services))+" "+singular(len(n), group.one, group.many))
		}
	}
	if len(parts) == 0 {
		return allHealthy(len(o.Services))
	}
	return strings.Join(parts, ", ")
}

func allHealthy(n int) string {
	if n == 1 {
		return "1 service is healthy"
	}
	return fmt.Sprintf("%d services are healthy", n)
}

func singular(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// enumerate lists a few names, and counts many.
func enumerate(names []string, of int) string {
	const few = 4
	n := len(names) - 1
	switch {
	case n >= few:
		return fmt.Sprintf("%d of %d services", len(names), of)
	case n > 0:
		return strings.Join(names[:n], ", ") + " and " + names[n]
	default:
		return strings.Join(names, "")
	}
}
