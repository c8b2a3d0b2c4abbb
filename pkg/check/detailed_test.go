package check_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/check"
)

// A probe that is seen in several answers is one probe.
func TestDetailed(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	replies := well()
	client := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		answer := replies[r.URL.RequestURI()]
		if n := asked.Add(1); r.URL.Path == "/health/redis" {
			probe := "2026-01-01T00:00:01Z"
			if n > 8 {
				probe = "2026-01-01T00:00:02Z"
			}
			answer = asJSON(200, `{"success":true,"status":"healthy","details":{"latency_ms":2,"checked_at":"`+probe+`"},"timestamp":"NOW"}`)
		}
		answer.write(w)
	})
	done := 0
	d, err := client.Detailed(t.Context(), check.Measure{Count: 10, MaxAge: time.Minute, Done: func(n int) { done = n }})
	if err != nil {
		t.Fatal(err)
	}
	redis := d.Services[1]
	if redis.Answers.Count != 10 || redis.Probes.Count != 2 || redis.Failed != 0 || !d.Success || done != 20 {
		t.Errorf("%d done, %+v", done, redis)
	}
	replies["/health/database"] = reply{503, "text/html", "<html>"}
	d, err = client.Detailed(t.Context(), check.Measure{Count: 10, MaxAge: time.Minute})
	if err != nil || d.Success || d.Services[0].Failed != 10 || len(d.Services[0].Problems) != 1 {
		t.Errorf("%v, %+v", err, d.Services[0])
	}
}

// What the sidecar remembers counts for more than the one probe that is seen now.
func TestDetailedReadsTheHistory(t *testing.T) {
	t.Parallel()
	d, err := serve(t, well()).Detailed(t.Context(), check.Measure{Count: 1, MaxAge: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Services[0]; s.Probes.Count != 2 || s.Probes.Max != 4 || s.ProbesSince.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := d.Services[1]; s.Probes.Count != 1 || s.Probes.Max != 1.5 || !s.ProbesSince.IsZero() {
		t.Errorf("%+v", s)
	}
}
