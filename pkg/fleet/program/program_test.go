package program_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/fleet/program"
)

func run(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program.Run(t.Context(), args, environ, &out, &errs, program.Build{Version: "v1.2.3", Commit: "abc"})
	return code, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"version":      {[]string{"--version"}, 0, "reims-health-fleet v1.2.3 (commit abc, go", ""},
		"help":         {[]string{"--help"}, 0, "FLEET_REQUESTS_PER_SECOND", ""},
		"unknown flag": {[]string{"--verson"}, 2, "", "flag provided but not defined: -verson: see reims-health-fleet --help"},
		"a command":    {[]string{"serve"}, 2, "", `there is no command "serve": see reims-health-fleet --help`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || (stderr == "") != (tt.stderr == "") {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
}

// Everything that is wrong is told at once, by variable.
func TestConfigurationProblems(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, []string{
		"FLEET_ADDR=8080", "FLEET_METRICS_ADDR=:99999", "FLEET_NAMESPACES=shop, Shop", "FLEET_LEADER_ELECTION=maybe",
		"FLEET_REQUESTS_PER_SECOND=0", "FLEET_TIMEOUT=2", "LOG_LEVEL=loud", "FLEET_NAMESPACE=shop", "OTHER=x", "FLEET_HEALTH_ADDR=",
	})
	want := `reims-health-fleet: configuration: 8 problems
  FLEET_ADDR: "8080" is not an address to listen on: write :8080 or 127.0.0.1:8080
  FLEET_LEADER_ELECTION: "maybe" must be on or off
  FLEET_METRICS_ADDR: ":99999" is not an address to listen on: write :8080 or 127.0.0.1:8080
  FLEET_NAMESPACE: is not a variable of this program: see reims-health-fleet --help
  FLEET_NAMESPACES: "Shop" is not the name of a namespace: write names as kubectl get namespaces shows them, separated by commas
  FLEET_REQUESTS_PER_SECOND: "0" must be a number from 1 to 10000
  FLEET_TIMEOUT: "2" must be a duration from 100ms to 1m0s, such as 2s
  LOG_LEVEL: "loud" must be debug, info, warn or error
`
	if code != 2 || stderr != want {
		t.Errorf("exit code %d\n%s\nwant\n%s", code, stderr, want)
	}
}

func TestLeaderElectionNeedsNames(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, nil)
	if code != 2 || !strings.Contains(stderr, "POD_NAME: is required with leader election") || !strings.Contains(stderr, "POD_NAMESPACE: is required") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ environ, want string }{
		{"FLEET_KUBECONFIG=", "use the Pod's service account (outside a Pod set FLEET_KUBECONFIG)"},
		{"FLEET_KUBECONFIG=/no/such/file", "read FLEET_KUBECONFIG: "},
	} {
		code, _, stderr := run(t, []string{"FLEET_LEADER_ELECTION=off", tt.environ})
		if code != 1 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, %s", tt.environ, code, stderr)
		}
	}
}

// The documentation has every variable, with its default, in the program's own words.
func TestDocumentedSettings(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, usage, _ := run(t, nil, "--help")
	lines := regexp.MustCompile(`(?m)^  ([A-Z_]+) +(.*?)(?: \(default (.*)\))?$`).FindAllStringSubmatch(usage, -1)
	if len(lines) < 11 {
		t.Fatalf("the usage has %d variables", len(lines))
	}
	for _, line := range lines {
		fallback := ""
		if line[3] != "" {
			fallback = "`" + line[3] + "` "
		}
		if row := "| `" + line[1] + "` | " + fallback + "| " + line[2] + " |\n"; !strings.Contains(string(docs), row) {
			t.Errorf("docs/fleet.md lacks %s", row)
		}
	}
}
