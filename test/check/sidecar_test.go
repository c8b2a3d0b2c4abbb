package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
)

// patience is for whatever a busy machine may take.
const patience = time.Minute

// sidecar is a running `reims-health serve`.
type sidecar struct {
	*program.Process
	addr    string
	metrics string // METRICS_ADDR, as it came to be
}

// startSidecar starts the program with these variables and returns when every service
// has a verdict.
func startSidecar(ctx context.Context, env []string) (*sidecar, error) {
	cmd := exec.Command(binary, "serve")
	cmd.Env = append([]string{
		"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "DATABASE_SCHEMA_CHECK=off",
		"DATABASE_PROBE_INTERVAL=500ms", "REDIS_PROBE_INTERVAL=500ms",
		"DATABASE_PROBE_TIMEOUT=5s", "REDIS_PROBE_TIMEOUT=5s", "MINIO_PROBE_TIMEOUT=5s",
	}, env...)
	p, err := program.Serve(cmd)
	if err != nil {
		return nil, err
	}
	s := &sidecar{Process: p, addr: p.Health, metrics: p.Metrics}
	judged := func(h health) bool { return h.Services != nil && !strings.Contains(fmt.Sprint(h.Services), "unknown") }
	return s, s.await(ctx, judged)
}

// health is what the tests read of /health.
type health struct {
	Status   string                     `json:"status"`
	Services map[string]string          `json:"services"`
	Details  map[string]json.RawMessage `json:"details"`
}

// reason returns why the service is not healthy.
func (h health) reason(service string) string {
	var details struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(h.Details[service], &details) // empty then
	return details.Reason
}

// await polls /health until it is as wanted.
func (s *sidecar) await(ctx context.Context, wanted func(health) bool) error {
	var h health
	ok := poll.Poll(ctx, patience, func() bool {
		answer, err := http.Get("http://" + s.addr + "/health")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		h = health{}
		return json.NewDecoder(answer.Body).Decode(&h) == nil && wanted(h)
	})
	if !ok {
		return fmt.Errorf("not as wanted within %s: /health is %+v", patience, h)
	}
	return nil
}
