package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// The timing that the tests run with: short, and yet with room for a busy machine.
const (
	interval = time.Second
	timeout  = 800 * time.Millisecond
	slack    = 3 * time.Second
	// confirmed is the contract's bound on confirming an outage.
	confirmed = interval*11/10 + 2*timeout + time.Second + slack
)

// sidecar is a running `reims-health serve`. Whatever it answers or logs, none of
// its secrets may be in it.
type sidecar struct {
	*program.Process
	t       testing.TB
	client  *http.Client
	health  string // URL of the health server
	metrics string // URL of /metrics
	secrets *secrets
}

// startSidecar runs the program with these variables and nothing else, and waits
// until it listens. It is stopped at the end of the test, and must then exit with 0.
func startSidecar(t testing.TB, vars ...servers.Var) *sidecar {
	t.Helper()
	return startSidecarWith(t, []string{"serve"}, vars...)
}

func startSidecarWith(t testing.TB, args []string, vars ...servers.Var) *sidecar {
	t.Helper()
	s := launchSidecar(t, args, vars...)
	t.Cleanup(s.stop)
	return s
}

// launchSidecar leaves it to the test to stop it.
func launchSidecar(t testing.TB, args []string, vars ...servers.Var) *sidecar {
	t.Helper()
	return launchProgram(t, append([]string{binary}, args...), vars...)
}

// launchProgram runs a command that becomes the sidecar.
func launchProgram(t testing.TB, command []string, vars ...servers.Var) *sidecar {
	t.Helper()
	s := newSidecar(t, vars)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = environ(vars)
	var err error
	if s.Process, err = program.Serve(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill) // of one that the test has not stopped
	s.health, s.metrics = "http://"+s.Health, "http://"+s.Metrics+"/metrics"
	return s
}

func startRelay(t testing.TB, target string) *relay.Relay {
	t.Helper()
	r, err := relay.Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func newSidecar(t testing.TB, vars []servers.Var) *sidecar {
	t.Helper()
	// No connection is kept, so that what the sidecar has open is its own.
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return &sidecar{t: t, secrets: secretsOf(t, vars), client: client}
}

func environ(vars []servers.Var) []string {
	env := []string{
		"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "LOG_LEVEL=debug",
		"DATABASE_SCHEMA_CHECK=off", // the databases here are empty
		"PATH=" + os.Getenv("PATH"),
	}
	for _, name := range prefixes {
		env = append(env, name+"_PROBE_INTERVAL="+interval.String(), name+"_PROBE_TIMEOUT="+timeout.String())
	}
	for _, v := range vars { // later ones win, as in exec.Cmd
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// stop ends the program as Kubernetes does, even if a test froze it, and holds it to its
// exit code and time.
func (s *sidecar) stop() {
	s.t.Helper()
	began := time.Now()
	if err := s.Stop(); err != nil {
		s.t.Errorf("exit after SIGTERM: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second+slack {
		s.t.Errorf("exit %s after SIGTERM", took)
	}
	s.secrets.check(s.t, "the log", s.Log())
	if s.t.Failed() {
		s.t.Logf("log of the sidecar:\n%s", s.Log())
	}
}
