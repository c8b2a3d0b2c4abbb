package chart_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sources are the folders in config that the chart has copies of, since Helm reads nothing
// outside a chart.
var sources = map[string]string{"rules": "config/prometheus/rules", "dashboards": "config/grafana/dashboards"}

// fleetRule is the alert of which the chart of the fleet program has a copy.
const fleetRule = "ReimsHealthFleetStale"

// It has a copy of config/prometheus/thresholds.yaml as well. hack/chart/values writes configuration.json from pkg/config, and values.json from
// values.yaml.
//
// Rules and dashboards are the same with Helm and without: no file is another one, missing
// or left over.
func TestFilesAreThoseOfConfig(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		want := contents(t, filepath.Join(root(t), source))
		have := contents(t, filepath.Join(root(t), "charts/reims-health/files", name))
		if diff := cmp.Diff(want, have); diff != "" || len(want) < 5 {
			t.Errorf("files/%s has not the %d files of %s: run make update-chart\n%s", name, len(want), source, diff)
		}
	}
	const thresholds = "thresholds.yaml"
	if diff := cmp.Diff(contents(t, filepath.Join(root(t), "config/prometheus"))[thresholds], contents(t, filepath.Join(root(t), "charts/reims-health/files"))[thresholds]); diff != "" {
		t.Errorf("files/%s is not that of config/prometheus: run make update-chart\n%s", thresholds, diff)
	}
	fleet := contents(t, filepath.Join(root(t), "charts/reims-health-fleet/files"))
	if diff := cmp.Diff(map[string]string{"rules/" + fleetRule + ".yaml": contents(t, filepath.Join(root(t), sources["rules"]))[fleetRule+".yaml"]}, fleet); diff != "" {
		t.Errorf("the files of reims-health-fleet are not those of config: run make update-chart\n%s", diff)
	}
	entries, err := os.ReadDir(filepath.Join(root(t), "charts/reims-health/files"))
	if err != nil || len(entries) != len(sources)+3 {
		t.Errorf("want the folders %v, configuration.json, thresholds.yaml, values.json and nothing else: %v, %v", slices.Sorted(maps.Keys(sources)), entries, err)
	}
}

// contents are the texts of all files below a folder, by their paths in it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[filepath.ToSlash(path[len(dir)+1:])] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Helm keeps a release in a Secret, chart and manifest together, and Kubernetes takes 1 MiB
// in one. Half of it is left for an umbrella chart.
func TestReleaseFitsItsSecret(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(charts(t), "reims-health")
	release := mustTool(t, nil, "helm4", "install", "rel", chart, "--values", filepath.Join(chart, "ci/everything-values.yaml"),
		"--dry-run=client", "--output=json")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(release)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	size := base64.StdEncoding.EncodedLen(packed.Len())
	t.Logf("%d bytes, packed from %d", size, len(release))
	if size > 1<<19 || size < 1<<16 {
		t.Errorf("the release takes %d bytes of its Secret, want 64 KiB to 512 KiB", size)
	}
}
