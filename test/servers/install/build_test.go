package install_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers/install"
)

func TestOllamaIsThePinnedVersion(t *testing.T) {
	t.Parallel()
	binary, err := install.Program(t.Context(), install.Lines(func(line string) { t.Log(line) }), "ollama")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(filepath.Base(binary), "-v")
	out, err := exec.Command(binary, "--version").CombinedOutput()
	if err != nil || version == "" || !strings.Contains(string(out), version) {
		t.Errorf("%s says %q (%v)", binary, out, err)
	}
}
