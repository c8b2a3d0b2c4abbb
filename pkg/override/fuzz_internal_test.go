package override

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/health"
)

// Whatever the file holds, it decides only if it is one of the two words, and the error, which
// is logged, does not quote it.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "ready", "not_ready\n", " READY ", "ready not_ready", "\ufeffready", "\x00", strings.Repeat("x", maxSize+1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "o")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := read(path)
		word := strings.ToLower(strings.TrimSpace(string(content)))
		decides := len(content) <= maxSize && (word == "ready" || word == "not_ready")
		if decides != (got != health.NoOverride) || decides && string(got) != word {
			t.Errorf("%q is %q", content, got)
		}
		if err != nil && err.Error() != "it must say ready or not_ready" && err.Error() != "it is larger than 1 KiB" {
			t.Errorf("%q: %v", content, err)
		}
		if (err == nil) != (decides || len(content) <= maxSize && word == "") {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	})
}
