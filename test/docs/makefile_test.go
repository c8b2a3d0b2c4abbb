package docs_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// make test needs no program of Kubernetes: servers.RunKubernetes is there with the tag
// e2e only. This holds that make e2e runs each test that is left out in that way.
func TestE2ERunsWhatTestLeavesOut(t *testing.T) {
	t.Parallel()
	recipe := regexp.MustCompile(`--packages "(\./pkg/kube [^"]*)" -- .*-tags e2e .*-run APIServer`).FindStringSubmatch(read(t, "Makefile"))
	if recipe == nil {
		t.Fatal("the Makefile's test-apiserver runs no tests")
	}
	script := read(t, "hack/e2e.sh")
	if !strings.Contains(script, "make --no-print-directory test-apiserver\n") {
		t.Error("make e2e does not run make test-apiserver")
	}
	found := 0
	for _, path := range goFiles(t) {
		text := read(t, path)
		if !strings.HasPrefix(text, "//go:build e2e\n") || !strings.HasSuffix(path, "_test.go") {
			continue
		}
		folder := "./" + filepath.Dir(path)
		if folder == "./test/cluster" || folder == "./hack/cluster" { // whole, by make e2e and make test-cluster
			continue
		}
		for _, f := range testFunction.FindAllStringSubmatch(text, -1) {
			found++
			byTarget := strings.Contains(f[1], "APIServer") && strings.Contains(recipe[1]+" ", folder+" ")
			if !byTarget && !strings.Contains(script, "-run '^"+f[1]+"$' "+folder) {
				t.Errorf("%s: no target runs %s", path, f[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("%d tests have the tag e2e; there were more", found)
	}
}

// All programs of this repository are compiled with the same flags, or a first make run
// compiles what they share once per set of flags.
func TestProgramsShareTheirFlags(t *testing.T) {
	t.Parallel()
	compiles := regexp.MustCompile(`\bgo( -C \S+)? (build|run)\b`)
	found := 0
	for _, path := range []string{"Makefile", "hack/e2e.sh", "test/cluster/images.sh"} {
		text := read(t, path)
		exported := strings.Contains(text, "\nexport CGO_ENABLED=0\n")
		for line := range strings.Lines(text) {
			if !compiles.MatchString(line) {
				continue
			}
			found++
			// $(RUN) sets it for its command, which passes it on.
			static := exported || strings.Contains(line, "CGO_ENABLED=0 go") || strings.Contains(line, "$(RUN) $(QUICK) ./hack/install run -- go build -trimpath $(QUICK) ")
			if !static || !strings.Contains(line, " -trimpath ") && !strings.HasSuffix(line, " -trimpath\n") {
				t.Errorf("%s: not with CGO_ENABLED=0 and -trimpath: %s", path, line)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d commands compile; there were more", found)
	}
}

func goFiles(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == ".run") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			paths = append(paths, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
