package install

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const productModule = "github.com/reims/reims-health"

// tool is a program that is built from its own module under hack/tools, so that the
// product's go.mod never sees what it needs.
type tool struct {
	name, module string
	title        string        // for people; the default is its name
	folder       string        // under hack/tools; the default is its name
	program      string        // the package to build; the default is the module's root
	usual        time.Duration // of the first build, on two cores that do nothing else
	ldflags      string        // VERSION stands for the version without its v
	env          []string
	include      string   // a folder of headers beside the module, or empty
	needs        []string // Debian packages
}

var tools = map[string]tool{
	"minio": {
		name: "minio", title: "MinIO", module: "github.com/minio/minio", usual: 3 * time.Minute, ldflags: "-s -w",
	},
	"ollama": {
		name: "ollama", title: "Ollama", module: "github.com/ollama/ollama", usual: 5 * time.Minute,
		ldflags: "-s -w -X github.com/ollama/ollama/version.Version=VERSION",
		include: "include", needs: []string{"g++", "nlohmann-json3-dev", "libstb-dev"},
	},
}

// kubernetes are the programs of Kubernetes, in the order in which they are built: the
// first compiles most of what they share.
var kubernetes = []struct {
	name  string
	usual time.Duration
}{
	{"kube-apiserver", 4 * time.Minute},
	{"kube-controller-manager", time.Minute},
	{"kube-scheduler", 20 * time.Second},
	{"kube-proxy", 15 * time.Second},
	{"kubelet", time.Minute},
	{"kubectl", 20 * time.Second},
}

// Kubernetes returns the folder that holds Kubernetes' programs, and builds those that
// this user has none of, of the version in hack/tools/kubernetes.
func Kubernetes(ctx context.Context, p *Progress) (dir string, err error) {
	names := make([]string, len(kubernetes))
	for i, k := range kubernetes {
		names[i] = k.name
	}
	if err := build(ctx, p, names...); err != nil {
		return "", err
	}
	t, err := find(names[0])
	if err != nil {
		return "", err
	}
	binary, err := t.binary()
	return filepath.Dir(binary), err
}

// Program returns the path of the binary of "minio", "ollama", or a program of
// Kubernetes, such as "kubelet". It builds it, and installs what the build needs, when
// this user has none of the version that its module under hack/tools pins; another
// process that wants it too waits. The caller builds what is left after it: progress
// names those of left that are not built yet.
func Program(ctx context.Context, p *Progress, name string, left ...string) (binary string, err error) {
	t, err := find(name)
	if err != nil {
		return "", err
	}
	if binary, err = t.binary(); err != nil || exists(binary) {
		return binary, err
	}
	remaining, err := unbuilt(left)
	if err != nil {
		return "", err
	}
	if err := Packages(ctx, p, t.needs...); err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, p, t.name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(binary) { // built while we waited
		return binary, nil
	}
	done := p.start(task{what: "building " + t.String(), usual: t.usual, left: remaining})
	defer done()
	return binary, t.compile(ctx, binary)
}

// unbuilt names the tools that are not built yet, each with the time that it takes.
func unbuilt(names []string) (texts []string, err error) {
	for _, name := range names {
		t, err := find(name)
		if err != nil {
			return nil, err
		}
		binary, err := t.binary()
		if err != nil {
			return nil, err
		}
		if !exists(binary) {
			texts = append(texts, fmt.Sprintf("%s, usually %s", t, spell(t.usual)))
		}
	}
	return texts, nil
}

// find returns the tool of that name.
func find(name string) (tool, error) {
	if t, ok := tools[name]; ok {
		return t, nil
	}
	for _, k := range kubernetes {
		if k.name == name {
			return kubernetesTool(name, k.usual)
		}
	}
	return tool{}, fmt.Errorf("build %s: nothing under hack/tools is called that", name)
}

// kubernetesTool stamps the version into the program, for it calls itself v0.0.0
// otherwise, and charts compare versions.
func kubernetesTool(name string, usual time.Duration) (tool, error) {
	t := tool{
		name: name, module: "k8s.io/kubernetes", folder: "kubernetes",
		program: "k8s.io/kubernetes/cmd/" + name, usual: usual,
		ldflags: "-s -w", env: []string{"CGO_ENABLED=0"},
	}
	_, version, err := t.locate()
	if err != nil {
		return t, err
	}
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 3 {
		return t, fmt.Errorf("build %s: %q is not a version", name, version)
	}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		t.ldflags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
			pkg, version, parts[0], parts[1])
	}
	return t, nil
}

// String returns the tool's name for people.
func (t tool) String() string { return cmp.Or(t.title, t.name) }

// Product builds the product's program, as it is shipped but for its version, to the
// path. What it shares with other programs of the Makefile is compiled once.
func Product(ctx context.Context, path string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "./cmd/reims-health")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build reims-health in %s: %w:\n%s", root, err, out)
	}
	return nil
}

// compile builds to a temporary name, so that a binary that is there is whole.
func (t tool) compile(ctx context.Context, binary string) error {
	dir, version, err := t.locate()
	if err != nil {
		return err
	}
	temp := binary + ".new"
	ldflags := strings.ReplaceAll(t.ldflags, "VERSION", strings.TrimPrefix(version, "v"))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", ldflags, "-o", temp, cmp.Or(t.program, t.module))
	cmd.Dir = dir
	// The caller's build settings, such as -race or -mod, are not for this one.
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOOS=", "GOARCH=")
	cmd.Env = append(cmd.Env, t.env...)
	if t.include != "" {
		// CPATH and not CGO_CPPFLAGS, for that is part of what Go's build cache
		// goes by, and would make each checkout compile all of it again.
		cmd.Env = append(cmd.Env, "CPATH="+filepath.Join(dir, t.include))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w:\n%s", t.name, dir, err, out)
	}
	return os.Rename(temp, binary)
}

// binary is where the tool's binary is, once it is built.
func (t tool) binary() (string, error) {
	_, version, err := t.locate()
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if t.folder != "" { // its programs stand together, under their own names
		dir := filepath.Join(cache, t.folder+"-"+version)
		return filepath.Join(dir, t.name), os.MkdirAll(dir, 0o755)
	}
	dir := filepath.Join(cache, "bin")
	return filepath.Join(dir, t.name+"-"+version), os.MkdirAll(dir, 0o755)
}

// locate returns the folder of the tool's module, and the version that it pins.
func (t tool) locate() (dir, version string, err error) {
	root, err := Root()
	if err != nil {
		return "", "", fmt.Errorf("build %s: %w", t.name, err)
	}
	dir = filepath.Join(root, "hack", "tools", cmp.Or(t.folder, t.name))
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", "", fmt.Errorf("build %s: %w", t.name, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "require "))
		if len(words) >= 2 && words[0] == t.module && strings.HasPrefix(words[1], "v") {
			return dir, words[1], nil
		}
	}
	return "", "", errors.Join(fmt.Errorf("build %s: %s requires no %s", t.name, f.Name(), t.module), lines.Err())
}
