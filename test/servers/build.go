package servers

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
)

const productModule = "github.com/reims/reims-health"

// tool is a server that is built from its own module under hack/tools, so that
// the product's go.mod never sees what it needs.
type tool struct {
	name, module string
	folder       string // under hack/tools; the default is its name
	program      string // the package to build; the default is the module's root
	duration     string // of the first build, on two cores
	ldflags      string // VERSION stands for the version without its v
	env          []string
	include      string // a folder of headers beside the module, or empty
	needs        []Package
}

var (
	minioTool = tool{
		name: "minio", module: "github.com/minio/minio", duration: "about 5 minutes", ldflags: "-s -w",
	}
	ollamaTool = tool{
		name: "ollama", module: "github.com/ollama/ollama", duration: "about 7 minutes",
		ldflags: "-s -w -X github.com/ollama/ollama/version.Version=VERSION",
		include: "include", needs: []Package{compilerPackage, jsonPackage, stbPackage},
	}
)

// BuildMinIO returns the path of MinIO's binary, and builds it when this user has
// none of the version in hack/tools/minio: that takes about five minutes.
func BuildMinIO(ctx context.Context, o Options) (string, error) { return minioTool.build(ctx, o) }

// BuildOllama does the same for Ollama, in about seven minutes, and installs the
// compiler and the headers that it needs.
func BuildOllama(ctx context.Context, o Options) (string, error) { return ollamaTool.build(ctx, o) }

// build returns the path of the tool's binary. It builds it when this user has
// none of that version yet; another process that wants it too waits.
func (t tool) build(ctx context.Context, o Options) (string, error) {
	dir, version, err := t.locate()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", t.name, err)
	}
	binary, err := t.binary(version)
	if err != nil {
		return "", err
	}
	if exists(binary) {
		return binary, nil
	}
	if err := Install(ctx, o, t.needs...); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, o, t.name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(binary) { // built while we waited
		return binary, nil
	}
	done := o.tick(fmt.Sprintf("building %s %s, once a machine, %s", t.name, version, t.duration))
	defer done()
	return binary, t.compile(ctx, dir, version, binary)
}

// compile builds to a temporary name, so that a binary that is there is whole.
func (t tool) compile(ctx context.Context, dir, version, binary string) error {
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

func (t tool) binary(version string) (string, error) {
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
		return "", "", err
	}
	dir = filepath.Join(root, "hack", "tools", cmp.Or(t.folder, t.name))
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "require "))
		if len(words) >= 2 && words[0] == t.module && strings.HasPrefix(words[1], "v") {
			return dir, words[1], nil
		}
	}
	return "", "", errors.Join(fmt.Errorf("%s requires no %s", f.Name(), t.module), lines.Err())
}

// Root returns the folder of the product's go.mod, from the current folder up.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), "module "+productModule+"\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the go.mod of %s: none here or above", productModule)
		}
		dir = parent
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
