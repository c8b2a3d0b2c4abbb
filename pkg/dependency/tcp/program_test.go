package tcp_test

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
)

// The whole program checks services of these schemes, by configuration alone.
func TestProgram(t *testing.T) {
	t.Parallel()
	path, err := program.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(3 * day).Truncate(time.Second).UTC()
	authority := checking.NewAuthority(t, time.Now().Add(-90*day), time.Now().Add(90*day))
	cert := authority.Issue(t, time.Now().Add(-90*day), until, "127.0.0.1")
	broker := checking.Answering(t, checking.Handshaking(cert, checking.Drain))
	cmd := exec.Command(path, "serve")
	cmd.Env = []string{
		"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "HEALTH_SERVICES=queue,broker,gone",
		"QUEUE_CHECK=tcp://" + checking.Answering(t, checking.Drain), "GONE_CHECK=tcp://" + closed(t),
		"BROKER_CHECK=tls://" + broker, "BROKER_CA_FILE=" + authority.File(t), "BROKER_PROBE_TIMEOUT=1m",
	}
	p, err := program.Serve(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	for address, wanted := range map[string][]string{
		"http://" + p.Health + "/health/queue": {`"status":"healthy"`, `"endpoint":"127.0.0.1:`},
		"http://" + p.Health + "/health/broker": {
			`"status":"degraded"`, `"reason":"certificate_expiring"`, `"tls_version":"TLS 1.3"`,
			`"certificate_not_after":"` + until.Format(time.RFC3339) + `"`,
		},
		"http://" + p.Health + "/health/gone": {`"status":"unhealthy"`, `"reason":"refused"`},
		"http://" + p.Metrics + "/metrics": {
			`reims_health_certificate_not_after_timestamp_seconds{service="broker"} `, `reims_health_up{service="gone"} 0`,
		},
	} {
		poll.Seen(t, time.Minute, address, func() (string, bool) {
			text := get(t, address)
			for _, want := range wanted {
				if !strings.Contains(text, want) {
					return "no " + want + " in " + text, false
				}
			}
			return "", true
		})
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
