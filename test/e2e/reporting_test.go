package e2e_test

import (
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

// Reporting that is impossible is one line in the log and no reason not to serve.
func TestPodReportingOutsideOfACluster(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, reporting(with(bystanders.env(t), "HEALTH_SERVICES", "redis"))...)
	s.await("/health", confirmed, func(a answer) bool { return a.healthy("redis") })
	if n := strings.Count(s.Log(), "pod reporting is off"); n != 1 {
		t.Errorf("%d lines:\n%s", n, s.Log())
	}
}

// reporting turns it on, for some Pod.
func reporting(vars []servers.Var) []servers.Var {
	for name, value := range map[string]string{"HEALTH_POD_REPORTING": "on", "POD_NAME": "api-0", "POD_NAMESPACE": "default", "POD_UID": "1"} {
		vars = with(vars, name, value)
	}
	return vars
}
