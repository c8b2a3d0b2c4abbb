package chart_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

// kubeVersions are those that have a folder in hack/chart/schemas.
var kubeVersions = []string{"1.29.15", "1.36.3"}

var helms = []string{"helm3", "helm4"}

// ours are the charts that are published.
var ours = []string{"reims-health", "reims-health-fleet"}

// buildTools returns the root of the module, once bin/chart holds the tools.
var buildTools = sync.OnceValues(func() (string, error) {
	root, err := servers.Root()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(context.Background(), filepath.Join(root, "hack/chart/tools.sh")).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build the tools: %w\n%s", err, out)
	}
	return root, err
})

func root(t *testing.T) string {
	t.Helper()
	dir, err := buildTools()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tool runs one of bin/chart, apart from any Helm of the user's. The error holds what it
// had to say.
func tool(t *testing.T, stdin []byte, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root(t), "bin/chart", name), args...)
	home := t.TempDir()
	cmd.Env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"),
		"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home,
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = errors.New(stdout.String() + stderr.String())
	}
	return stdout.String(), err
}

// mustTool is tool where an error ends the test.
func mustTool(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	out, err := tool(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

var copies = struct {
	sync.Mutex
	dir string
}{}

// charts returns a folder with a copy of all charts, in which the example has its
// dependency.
func charts(t *testing.T) string {
	t.Helper()
	copies.Lock()
	defer copies.Unlock()
	if copies.dir != "" {
		return copies.dir
	}
	dir, err := os.MkdirTemp("", "reims-health-charts-")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(ours[:2:2], "example-api") {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root(t), "charts", name))); err != nil {
			t.Fatal(err)
		}
	}
	mustTool(t, nil, "helm4", "dependency", "build", filepath.Join(dir, "example-api"))
	copies.dir = dir
	return dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if copies.dir != "" {
		_ = os.RemoveAll(copies.dir)
	}
	os.Exit(code)
}

// A values file of a chart's ci folder is one way of installing it.
type installation struct{ chart, values string }

func (i installation) String() string {
	return filepath.Base(i.chart) + "/" + filepath.Base(i.values)
}

// render asks Helm once for each chart, values and arguments: many tests look at the same
// rendering, and to start Helm takes longer than to read what it says.
func (i installation) render(t *testing.T, helm, kubeVersion string, args ...string) string {
	t.Helper()
	run := func() string {
		return mustTool(t, nil, helm, append([]string{"template", "rel", i.chart, "--namespace=ns", "--values", i.values, "--kube-version", kubeVersion}, args...)...)
	}
	if slices.Contains(args, "--values") { // a file that may change
		return run()
	}
	text, err := os.ReadFile(i.values)
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("%q", append([]string{helm, kubeVersion, i.chart, string(text)}, args...))
	renderings.Lock()
	r := renderings.of[key]
	if r == nil {
		r = new(rendering)
		renderings.of[key] = r
	}
	renderings.Unlock()
	r.Lock() // of this rendering alone: others go on meanwhile
	defer r.Unlock()
	if !r.done {
		r.text, r.done = run(), true
	}
	return r.text
}

// renderings are what Helm has rendered, by what it was given.
var renderings = struct {
	sync.Mutex
	of map[string]*rendering
}{of: make(map[string]*rendering)}

type rendering struct {
	sync.Mutex
	done bool
	text string
}

func installations(t *testing.T) []installation {
	t.Helper()
	var all []installation
	files, err := filepath.Glob(filepath.Join(charts(t), "*/ci/*-values.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d values files, %v", len(files), err)
	}
	for _, f := range files {
		all = append(all, installation{filepath.Dir(filepath.Dir(f)), f})
	}
	return all
}
