package servers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-envparse"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/test/servers"
)

// Whatever the values, a shell and a reader of .env files see the same.
func TestWriteEnv(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "servers.env")
	values := rapid.OneOf(
		rapid.StringMatching(`[ -~äß€]*`),
		rapid.StringOf(rapid.SampledFrom([]rune("'\"\\$`#! =\t&;"))),
	)
	rapid.Check(t, func(t *rapid.T) {
		want := values.Filter(noTab).Draw(t, "value")
		if err := servers.WriteEnv(path, []servers.Var{{Name: "FIRST", Value: "1"}, {Name: "ODD", Value: want}}); err != nil {
			t.Fatal(err)
		}
		if got := sourced(t, path); got != want {
			t.Errorf("a shell reads %q, want %q", got, want)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := envparse.Parse(f)
		if err != nil || got["ODD"] != want || got["FIRST"] != "1" {
			t.Errorf("a .env reader reads %q (%v), want %q", got, err, want)
		}
	})
}

// noTab spares the reader of .env files, which refuses every control character.
func noTab(value string) bool {
	for _, r := range value {
		if r < ' ' {
			return false
		}
	}
	return true
}

func sourced(t *rapid.T, path string) string {
	out, err := exec.Command("sh", "-c", `. "$1"; exec printenv ODD`, "sh", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out[:len(out)-1])
}

func TestWriteEnvRefusesLineBreaks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "servers.env")
	for _, value := range []string{"a\nb", "a\rb", "a\x00b"} {
		if err := servers.WriteEnv(path, []servers.Var{{Name: "NAME", Value: value}}); err == nil {
			t.Errorf("%q was written", value)
		}
	}
}

func TestWriteEnvIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "servers.env")
	if err := servers.WriteEnv(path, nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
}
