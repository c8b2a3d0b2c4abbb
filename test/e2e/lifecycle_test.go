package e2e_test

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// Starting never waits for a dependency: with none of the four there, everything
// answers, and honestly.
func TestStartWithNoServers(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nowhere(t)...)
	if a := s.get("/health/live"); a.code != 200 {
		t.Errorf("/health/live: %d %s", a.code, a.body)
	}
	a, _ := s.await("/health", confirmed, func(a answer) bool {
		return !slices.Contains(slices.Collect(maps.Values(a.json.Services)), "unknown")
	})
	for _, service := range services {
		if d := a.detail(service); a.json.Services[service] != "unhealthy" || d.Reason != "refused" {
			t.Errorf("%s: %s %s, want unhealthy refused", service, a.json.Services[service], d.Reason)
		}
	}
	if a.code != 503 {
		t.Errorf("/health: %d, want 503", a.code)
	}
	if !poll.Poll(t.Context(), slack, func() bool { return strings.Contains(s.Log(), `"msg":"first verdicts"`) }) {
		t.Error("no summary of the first verdicts in the log")
	}
}

func TestUnknownHosts(t *testing.T) {
	t.Parallel()
	vars := servers.At("minio", "nowhere.invalid:9000")
	for _, prefix := range []string{"DATABASE", "REDIS", "OLLAMA"} {
		vars = with(vars, prefix+"_HOST", "nowhere.invalid")
	}
	s := startSidecar(t, vars...)
	stop := s.watch(false, func(answer) error { return nil })
	for _, service := range services {
		s.awaitService(service, "unhealthy", "dns", timeout+slack)
	}
	stop()
}

// On SIGTERM it is not ready at once, still answers for a second, and exits with 0
// within five, even while a server hangs.
func TestShutdown(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	s := launchSidecar(t, []string{"serve"}, with(pg.Env(), "HEALTH_SERVICES", "database")...)
	s.await("/health/ready", confirmed, isOK)
	if err := pg.Freeze(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.Signal(syscall.SIGTERM)
	a, _ := s.await("/health/ready", 900*time.Millisecond, func(a answer) bool { return a.code == 503 })
	if !strings.Contains(a.body, `"shutdown"`) {
		t.Errorf("/health/ready does not say why: %s", a.body)
	}
	if a := s.get("/health/live"); a.code != 200 {
		t.Errorf("/health/live: %d", a.code)
	}
	<-s.Exited()
	if s.Wait() != nil {
		t.Errorf("exit: %v\n%s", s.Wait(), s.Log())
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the exit took %s", d)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	code, _, stderr := runProgram(t, with(nowhere(t), "HEALTH_ADDR", taken.Addr().String()), "serve")
	if code != 1 || !strings.Contains(stderr, taken.Addr().String()) || !strings.Contains(stderr, "address already in use: stop the program that listens on "+taken.Addr().String()) {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestOverrideFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "override")
	s := startSidecar(t, with(nowhere(t), "HEALTH_OVERRIDE_FILE", file)...)
	for _, step := range []struct {
		text string
		code int
	}{{"ready\n", 200}, {"not_ready", 503}, {"ready", 200}, {"", 503}} {
		if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		a, _ := s.await("/health/ready", 2*time.Second+slack, func(a answer) bool { return a.code == step.code })
		if shown := strings.Contains(a.body, "HEALTH_OVERRIDE_FILE"); shown != (step.text != "") {
			t.Errorf("after %q: %s", step.text, a.body)
		}
		if a := s.get("/health"); a.code != 503 {
			t.Errorf("after %q: /health is not honest: %d", step.text, a.code)
		}
	}
	s.scrape().want(t, `reims_health_override{mode="ready"}`, 0)
}

// nowhere points all four services at ports where nothing listens.
func nowhere(t testing.TB) []servers.Var {
	t.Helper()
	var vars []servers.Var
	for _, service := range services {
		vars = append(vars, servers.At(service, servers.FreeAddr(t))...)
	}
	return vars
}
