package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

const config = "../../config/prometheus"

// promtool runs Prometheus' own checker in config/prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := servers.Promtool(t.Context(), servers.Options{Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = config
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	promtool(t, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, glob(t, "rules/*.yaml")...)...)
}

func TestConfigIsValid(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "config", "prometheus.yml")
}

func TestAlertmanagerConfigIsValid(t *testing.T) {
	t.Parallel()
	program, err := servers.Amtool(t.Context(), servers.Options{Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "check-config", filepath.Join(config, "alertmanager.yml")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each file of cases: when an alert fires, when it does not, and that it resolves.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "tests/*.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			promtool(t, "test", "rules", file)
		})
	}
}

// glob returns paths below config/prometheus, and reads the files, so that go test's
// cache notices when they change.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(config, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for i, path := range paths {
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		paths[i], _ = filepath.Rel(config, path)
	}
	return paths
}
