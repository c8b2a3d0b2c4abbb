package install

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServers(t *testing.T) {
	t.Parallel()
	for services, want := range map[string][]string{
		"":                  {"postgres", "redis", "minio", "ollama"},
		" ":                 {"postgres", "redis", "minio", "ollama"},
		"redis":             {"redis"},
		"ollama , database": {"ollama", "postgres"},
	} {
		got, err := Servers(services)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q (%v), want %q", services, got, err, want)
		}
	}
	for _, services := range []string{"redis,", "postgres"} {
		if got, err := Servers(services); err == nil || !strings.Contains(err.Error(), "HEALTH_SERVICES") {
			t.Errorf("%q: %q (%v)", services, got, err)
		}
	}
}

// Of the programs that come after one, those are named that are not built yet.
func TestUnbuilt(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	minio, err := tools["minio"].binary()
	if err != nil {
		t.Fatal(err)
	}
	apiserver, err := find("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"minio", "ollama", "kube-apiserver", "kubelet"}
	want := []string{"MinIO, usually 3 min", "Ollama, usually 5 min", "kube-apiserver, usually 4 min", "kubelet, usually 1 min"}
	if got, err := unbuilt(all); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q (%v)", got, err)
	}
	binary, err := apiserver.binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{minio, binary} {
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := unbuilt(all); err != nil || !slices.Equal(got, []string{want[1], want[3]}) {
		t.Errorf("with two of them built: %q (%v)", got, err)
	}
	if got, err := Program(t.Context(), nil, "minio", "ollama"); err != nil || got != minio {
		t.Errorf("one that is built is %s (%v), want %s", got, err, minio)
	}
}

// While a build runs, a line says how long it usually takes and what is left after it.
// The compiler here is a script that ends once that line was shown.
func TestProgramShowsWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	shown := filepath.Join(dir, "shown")
	if err := syscall.Mkfifo(shown, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = "#!/bin/sh\nread -r line < \"$SHOWN\"\necho \"$line\" > \"$6\"\n" // after build -trimpath -ldflags … -o
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("PATH", dir)
	t.Setenv("SHOWN", shown)
	first := true
	binary, err := Program(t.Context(), Lines(func(line string) {
		if first {
			first = false
			if err := os.WriteFile(shown, []byte(line+"\n"), 0o600); err != nil {
				t.Error(err)
			}
		}
	}), "minio", "ollama", "kubelet")
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(binary)
	want := regexp.MustCompile(`^building MinIO: \d+ s so far, usually 3 min; left after it: Ollama, usually 5 min, kubelet, usually 1 min\n$`)
	if err != nil || !want.Match(line) {
		t.Errorf("%q (%v)", line, err)
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	if _, err := Program(t.Context(), nil, "mysql"); err == nil || !strings.Contains(err.Error(), "mysql") {
		t.Errorf("a program that has no module: %v", err)
	}
	if err := Packages(t.Context(), nil, "mysql"); err == nil || !strings.Contains(err.Error(), "mysql") {
		t.Errorf("a package of which nothing is known: %v", err)
	}
}

// hack/install is compiled in seconds only while it needs nothing but the standard
// library and this package.
func TestImports(t *testing.T) {
	t.Parallel()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, folder := range []string{"hack/command", "hack/install", "test/servers/install"} {
		found, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	var foreign []string
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			quoted, ok := strings.CutPrefix(line, "\t\"")
			if ok && strings.Contains(strings.Split(quoted, "/")[0], ".") {
				foreign = append(foreign, strings.TrimRight(quoted, "\"\n"))
			}
		}
	}
	if diff := cmp.Diff([]string{productModule + "/hack/command", productModule + "/test/servers/install"}, foreign); diff != "" {
		t.Errorf("imports beyond the standard library (-want +got):\n%s", diff)
	}
}
