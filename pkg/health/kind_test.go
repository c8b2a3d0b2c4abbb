package health_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/health"
)

// What a server sends is in every response, so it is cut.
func TestTextsAreCut(t *testing.T) {
	t.Parallel()
	usual, long := "PostgreSQL 15.2", strings.Repeat("é", 1<<20)
	want := strings.Repeat("é", 256) + "…"
	names := []string{usual, long}
	if got := health.Text("version", usual).Text; got != usual {
		t.Errorf("%q", got)
	}
	if got := health.Text("version", long).Text; got != want {
		t.Errorf("a text of %d bytes", len(got))
	}
	if got := health.Text("version", "x"+long).Text; got != "x"+strings.Repeat("é", 255)+"…" {
		t.Errorf("a text of %d bytes, which ends in %q", len(got), got[len(got)-8:])
	}
	if got := health.List("buckets", names).List; !slices.Equal(got, []string{usual, want}) || names[1] != long {
		t.Errorf("a list of %d names", len(got))
	}
}
