package e2e_test

import (
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

// pod is the environment of a sidecar that keeps its state, in a Pod with this UID.
func pod(uid, stateFile string, vars []servers.Var, more ...string) []servers.Var {
	vars = with(with(vars, "HEALTH_SERVICES", "database"), "HEALTH_STATE_FILE", stateFile)
	vars = with(vars, "POD_UID", uid)
	for i := 0; i+1 < len(more); i += 2 {
		vars = with(vars, more[i], more[i+1])
	}
	return vars
}

// kill ends the program as the kernel does when its memory is full.
func (s *sidecar) kill() {
	s.t.Helper()
	s.Signal(syscall.SIGKILL)
	<-s.Exited()
	s.secrets.check(s.t, "the log", s.Log())
}

// awaitState waits until the state file says this.
func awaitState(t testing.TB, file, text string) {
	t.Helper()
	if !poll.Poll(t.Context(), confirmed, func() bool {
		content, _ := os.ReadFile(file)
		return strings.Contains(string(content), text)
	}) {
		content, err := os.ReadFile(file)
		t.Fatalf("the state file does not say %s: %s, %v", text, content, err)
	}
}

// A sidecar that is killed in an outage and started again, in the same container's
// place, judges readiness as before: at once, and once it has looked for itself.
func TestKilledInAnOutage(t *testing.T) {
	t.Parallel()
	const grace = 20 * time.Second
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	dir := t.TempDir()
	cases := map[string][]string{
		"startup": {"DATABASE_READINESS", "startup"},
		"strict":  nil,
		"grace":   {"DATABASE_READINESS_GRACE", grace.String()},
	}
	vars := make(map[string][]servers.Var)
	running := make(map[string]*sidecar)
	for name, more := range cases {
		vars[name] = pod("uid-"+name, filepath.Join(dir, name), pg.Env(), more...)
		running[name] = launchSidecar(t, []string{"serve"}, vars[name]...)
	}
	defer func() {
		for _, s := range running {
			s.stop()
		}
	}()
	for name, s := range running {
		s.await("/health/ready", confirmed, isOK)
		awaitState(t, filepath.Join(dir, name), `"proven":true`)
	}
	// Killed while all is well: ready from the first answer on.
	for name := range cases {
		running[name].kill()
		running[name] = launchSidecar(t, []string{"serve"}, vars[name]...)
		if a := running[name].get("/health/ready"); a.code != 200 {
			t.Errorf("%s, restarted while all is well: %d %s", name, a.code, a.body)
		}
		running[name].await("/health", confirmed, isOK)
	}
	must(t, pg.Kill())
	since := make(map[string]time.Time)
	for name, s := range running {
		a, _ := s.awaitService("database", "unhealthy", "refused", confirmed)
		since[name] = a.detail("database").Since
		awaitState(t, filepath.Join(dir, name), "failing_since")
	}
	// Killed in the outage, twice.
	for range 2 {
		for name, code := range map[string]int{"startup": 200, "strict": 503, "grace": 200} {
			running[name].kill()
			running[name] = launchSidecar(t, []string{"serve"}, vars[name]...)
			s := running[name]
			if a := s.get("/health/ready"); a.code != code {
				t.Errorf("%s, the first answer: %d %s, want %d", name, a.code, a.body, code)
			}
			a, _ := s.awaitService("database", "unhealthy", "refused", confirmed)
			if got := a.detail("database").Since; !got.Equal(since[name]) {
				t.Errorf("%s: since %s, want %s as before the restart", name, got, since[name])
			}
			if a := s.get("/health/ready"); a.code != code {
				t.Errorf("%s, after the first result: %d %s, want %d", name, a.code, a.body, code)
			}
		}
	}
	// The grace ends when it would have ended.
	running["grace"].await("/health/ready", grace+slack, func(a answer) bool { return a.code == 503 })
	if d := time.Since(since["grace"]); d < grace || d > grace+slack {
		t.Errorf("the grace was over after %s, want %s", d, grace)
	}
	must(t, pg.Start(t.Context()))
	for _, s := range running {
		s.await("/health/ready", confirmed, isOK)
	}
}

// What was proven counts for that Pod and that server, and for no other.
func TestStateIsNotInherited(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	file := filepath.Join(t.TempDir(), "state")
	vars := pod("uid-1", file, pg.Env(), "DATABASE_READINESS", "startup")
	s := launchSidecar(t, []string{"serve"}, vars...)
	s.await("/health/ready", confirmed, isOK)
	awaitState(t, file, `"proven":true`)
	s.kill()
	must(t, pg.Kill())
	good, err := os.ReadFile(file)
	must(t, err)
	for name, v := range map[string][]servers.Var{
		"a new Pod":         with(vars, "POD_UID", "uid-2"),
		"another server":    append(slices.Clip(vars), servers.At("database", servers.FreeAddr(t))...),
		"another database":  with(vars, "DATABASE_NAME", "other"),
		"another policy":    with(vars, "DATABASE_READINESS", "strict"),
		"a required schema": with(vars, "DATABASE_SCHEMA_CHECK", "on"),
	} {
		must(t, os.WriteFile(file, good, 0o600))
		s := launchSidecar(t, []string{"serve"}, v...)
		for range 2 {
			if a := s.get("/health/ready"); a.code != 503 {
				t.Errorf("%s: %d %s", name, a.code, a.body)
			}
			s.awaitService("database", "unhealthy", "refused", confirmed)
		}
		s.stop()
	}
	// Other credentials and another rhythm are no other service.
	must(t, os.WriteFile(file, good, 0o600))
	s = launchSidecar(t, []string{"serve"}, with(with(vars, "DATABASE_PASSWORD", "another"), "DATABASE_PROBE_INTERVAL", "2s")...)
	s.awaitService("database", "unhealthy", "refused", confirmed)
	if a := s.get("/health/ready"); a.code != 200 {
		t.Errorf("with another password: %d %s", a.code, a.body)
	}
	s.stop()
}

// A folder that takes no file is logged once and disturbs nothing else.
func TestStateFolderThatTakesNoFile(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	for _, file := range []string{"/proc/state", "/dev/null/state", filepath.Join(t.TempDir(), "absent", "state")} {
		s := startSidecar(t, pod("uid", file, pg.Env())...)
		s.await("/health/ready", confirmed, isOK)
		s.awaitChecks("database", 3)
		if n := strings.Count(s.Log(), "state file not written"); n != 1 {
			t.Errorf("%s: logged %d times", file, n)
		}
	}
}

func (s *sidecar) awaitChecks(service string, n float64) {
	s.t.Helper()
	from := s.checks(service)
	if !poll.Poll(s.t.Context(), time.Duration(n)*confirmed, func() bool { return s.checks(service) >= from+n }) {
		s.t.Fatal("the checks have stopped")
	}
}
