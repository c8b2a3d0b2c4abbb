package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A name that is all digits stays a text: YAML would make a number of it, which Kubernetes
// takes for no name.
func TestNamesOfDigits(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?i)(secret|key|configMap|name|user|override)$`)
	for _, i := range installations(t) {
		if !slices.Contains(ours, filepath.Base(i.chart)) {
			continue
		}
		t.Run(i.String(), func(t *testing.T) {
			t.Parallel()
			args := []string{"template", "123", i.chart, "--namespace=456", "--values", i.values, "--kube-version", kubeVersions[1]}
			for _, l := range leaves(nil, values(t, i.values)) {
				if _, isText := l.value.(string); isText && named.MatchString(l.path[len(l.path)-1]) {
					args = append(args, "--set-string", strings.Join(l.path, ".")+"=123")
				}
			}
			validate(t, kubeVersions[1], mustTool(t, nil, "helm4", args...))
		})
	}
}

// Helm reads a file's numbers as floats, and prints big ones as 1e+06.
func TestBigNumbers(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(charts(t), "reims-health")
	i := installation{chart, filepath.Join(chart, "ci/everything-values.yaml")}
	file := filepath.Join(t.TempDir(), "values.yaml")
	const big = `
deployment: {replicas: 1000000, revisionHistoryLimit: 1000000, progressDeadlineSeconds: 1000000}
pod: {terminationGracePeriodSeconds: 1000000}
podDisruptionBudget: {maxUnavailable: 1000000, minAvailable: null}
redis: {db: 1000000}
migrations: {ttlSecondsAfterFinished: 1000000}
`
	if err := os.WriteFile(file, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	out := i.render(t, "helm4", kubeVersions[1], "--values", file)
	if n := strings.Count(out, "1000000"); n < 7 || strings.Contains(out, "1e+06") {
		t.Errorf("%d of 7 numbers arrive:\n%s", n, out)
	}
}

func values(t *testing.T, path string) object {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := yaml.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
