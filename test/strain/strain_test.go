package strain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/strain"
)

// options are those of a short form.
func options(t *testing.T, d time.Duration) strain.Options {
	t.Helper()
	binary, err := program.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return strain.Options{Program: binary, Duration: d, Short: true, Progress: func(line string) { t.Log(line) }}
}

// The short form of make soak.
func TestSoak(t *testing.T) {
	t.Parallel()
	var report strings.Builder
	err := strain.Soak(t.Context(), options(t, 25*time.Second), &report)
	t.Log(report.String())
	if err != nil {
		t.Error(err)
	}
}
