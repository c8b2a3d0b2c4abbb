package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// Every variable is wrong at once. Exit 2 names each of them and shows no secret.
func TestEveryVariableWrong(t *testing.T) {
	t.Parallel()
	var vars []servers.Var
	var names []string
	for _, v := range config.Variables(registry.Kinds().Services()) {
		switch {
		case v.Secret: // contradictory
			vars = with(with(vars, v.Name, rand.Text()), v.Name+"_FILE", "/nowhere")
		case v.Values == "text": // all that is wrong in a text
			vars = with(vars, v.Name, "a\nb")
		case v.Name == "OLLAMA_HOST":
			vars = with(vars, v.Name, "ftp://user:canary-of-ollama@host")
		default:
			vars = with(vars, v.Name, ":,wrong\n")
		}
		names = append(names, v.Name)
	}
	for _, command := range []string{"serve", "config"} {
		code, stdout, stderr := runProgram(t, vars, command)
		if code != 2 {
			t.Errorf("%s: exit %d:\n%s", command, code, stderr)
		}
		for _, name := range names {
			if !strings.Contains(stderr, name+": ") {
				t.Errorf("%s does not list %s:\n%s", command, name, stderr)
			}
		}
		secretsOf(t, vars).check(t, command, stdout+stderr)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	must(t, os.WriteFile(file, []byte("# sample\nexport REDIS_HOST=from-the-file\nREDIS_PORT=\"7000\"\nREDIS_PASSWORD=canary-of-redis\n"), 0o600))
	vars := with(with(nil, "REDIS_PORT", "7001"), "OLLAMA_HOST", "http://user:canary-of-ollama@ollama.example")
	for _, test := range []struct {
		args   []string
		code   int
		stdout []string
		stderr []string
	}{
		{[]string{"version"}, 0, []string{"reims-health ", "commit ", "go1."}, nil},
		{[]string{"help"}, 0, []string{"serve", "config", "version"}, nil},
		{[]string{"help", "serve"}, 0, []string{"--env-file"}, nil},
		{[]string{"config", "--env-file", file}, 0, []string{
			"REDIS_HOST=from-the-file", "# file " + file, "REDIS_PORT=7001", "# environment",
			"REDIS_PASSWORD=[set]", "DATABASE_PASSWORD=[empty]", "MINIO_PROBE_INTERVAL=", "# default", "ollama.example",
		}, nil},
		{[]string{"config", "--output", "json"}, 0, []string{`"name": "REDIS_PORT"`, `"value": "7001"`}, nil},
		{[]string{"config", "--output", "yaml"}, 2, nil, []string{"yaml", "text or json"}},
		{[]string{"config", "--env-file", file + ".missing"}, 2, nil, []string{"--env-file", "no such file"}},
		{[]string{"serve", "--nonsense"}, 2, nil, []string{"unknown flag", "--nonsense"}},
		{[]string{"serve", "extra"}, 2, nil, []string{"extra"}},
		{[]string{"nonsense"}, 2, nil, []string{"unknown command"}},
	} {
		code, stdout, stderr := runProgram(t, vars, test.args...)
		if code != test.code {
			t.Errorf("%v: exit %d, want %d:\n%s%s", test.args, code, test.code, stdout, stderr)
		}
		for _, part := range test.stdout {
			if !strings.Contains(stdout, part) {
				t.Errorf("%v does not print %q:\n%s", test.args, part, stdout)
			}
		}
		for _, part := range test.stderr {
			if !strings.Contains(stderr, part) {
				t.Errorf("%v does not say %q:\n%s", test.args, part, stderr)
			}
		}
		if slices.Contains(test.args, "json") && !json.Valid([]byte(stdout)) {
			t.Errorf("not JSON:\n%s", stdout)
		}
		if strings.Contains(stdout+stderr, "canary") {
			t.Errorf("%v shows a secret:\n%s%s", test.args, stdout, stderr)
		}
	}
}

// What serve reads from a .env file it uses.
func TestServeWithEnvFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	must(t, servers.WriteEnv(file, bystanders.env(t)))
	s := startSidecarWith(t, []string{"serve", "--env-file", file})
	s.await("/health", confirmed, allHealthy)
}

func TestBinarySize(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(binary)
	must(t, err)
	if mb := float64(info.Size()) / megabyte; mb > 32 {
		t.Errorf("the binary has %.1f MB, more than 32", mb)
	}
}

// runProgram runs a command that ends by itself.
func runProgram(t testing.TB, vars []servers.Var, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = environ(vars)
	code, stdout, stderr, err := program.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return code, stdout, stderr
}
