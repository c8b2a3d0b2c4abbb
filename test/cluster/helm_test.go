//go:build e2e

package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// release is an installation by the real helm.
type release struct {
	*scenario
	name, chart string
	helm        string // the program
	values      map[string]any
}

// run executes helm for the release and returns what it wrote; it fails the test
// when helm fails.
func (r *release) run(verb string, args ...string) string {
	r.t.Helper()
	out, err := r.try(verb, args...)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// try returns the error instead.
func (r *release) try(verb string, args ...string) (out string, err error) {
	line := []string{verb, r.name}
	if verb == "install" || verb == "upgrade" {
		line = append(line, r.chart, "--values", r.writeValues())
	}
	line = append(line, args...)
	return r.execute(append(line, "--namespace", r.namespace, "--kubeconfig", env.kubeconfig)...)
}

// dependencies packs what the chart names as such.
func (r *release) dependencies() {
	r.t.Helper()
	if out, err := r.execute("dependency", "update", r.chart); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
}

func (r *release) execute(line ...string) (out string, err error) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), r.helm, line...)
	dir := r.t.TempDir() // not the user's plug-ins and repositories
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	written, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("helm %s: %w", strings.Join(line, " "), err)
	}
	return string(written), err
}

// writeValues keeps the values where a failure is looked into; they hold no secret.
func (r *release) writeValues() string {
	r.t.Helper()
	content, err := json.MarshalIndent(r.values, "", "  ") // JSON is YAML
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(env.out, fmt.Sprintf("values-%s-%s.yaml", r.t.Name(), r.name))
	if err := os.WriteFile(path, content, 0o644); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// exits finds which exit code a program had.
func exits(err error, want int) finding {
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		return finding{err.Error(), false} // it did not run
	}
	return finding{fmt.Sprintf("exit code %d", code), code == want}
}

// timed runs a step and returns how long it took.
func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}
