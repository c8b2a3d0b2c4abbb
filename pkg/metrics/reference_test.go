package metrics_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestReference(t *testing.T) {
	t.Parallel()
	const path = "../../docs/metrics.md"
	var want bytes.Buffer
	if err := metrics.WriteReference(&want, registry.Kinds().Described()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not what the code says: run make update-docs\n%s", diff)
	}
}
