package chart_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Both Helms lint and render every installation alike, and Kubernetes knows every field.
func TestRendering(t *testing.T) {
	t.Parallel()
	for _, i := range installations(t) {
		for _, kube := range kubeVersions {
			t.Run(i.String()+"/"+kube, func(t *testing.T) {
				t.Parallel()
				var rendered []string
				for _, helm := range helms {
					if kube == kubeVersions[1] {
						mustTool(t, nil, helm, "lint", "--strict", i.chart, "--values", i.values, "--kube-version", kube)
					}
					rendered = append(rendered, squeeze(i.render(t, helm, kube)))
				}
				if diff := cmp.Diff(rendered[0], rendered[1]); diff != "" {
					t.Errorf("Helm 3 and 4 differ:\n%s", diff)
				}
				validate(t, kube, rendered[0])
			})
		}
	}
}

// squeeze drops the empty lines, which Helm 4 has more of.
func squeeze(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// validate fails where an object has no schema, too.
func validate(t *testing.T, kube, manifests string) {
	t.Helper()
	schemas := filepath.Join(root(t), "hack/chart/schemas")
	mustTool(t, []byte(manifests), "kubeconform", "-strict", "-kubernetes-version", kube,
		"-schema-location", schemas+"/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json",
		"-schema-location", schemas+"/custom/{{.ResourceKind}}{{.KindSuffix}}.json")
}

func TestKubeconformRefuses(t *testing.T) {
	t.Parallel()
	const misspelt = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatta: {}\n"
	schemas := filepath.Join(root(t), "hack/chart/schemas")
	_, err := tool(t, []byte(misspelt), "kubeconform", "-strict", "-kubernetes-version", kubeVersions[0],
		"-schema-location", schemas+"/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json")
	if err == nil || !strings.Contains(err.Error(), "datta") {
		t.Errorf("a field that is not there: %v", err)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for _, name := range append(ours[:2:2], "example-api") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := mustTool(t, nil, "helm-unittest", "--strict", filepath.Join(charts(t), name))
			if !regexp.MustCompile(`(?m)^Tests: +[1-9][0-9]* passed`).MatchString(out) {
				t.Errorf("no test ran:\n%s", out)
			}
		})
	}
}

// What Artifact Hub shows is what the chart runs.
func TestChartsNameTheirImages(t *testing.T) {
	t.Parallel()
	for _, name := range ours {
		chart := values(t, filepath.Join(root(t), "charts", name, "Chart.yaml"))
		image := "image: ghcr.io/reims/" + name + ":" + chart.text("appVersion") + "\n"
		if images := chart.text("annotations", "artifacthub.io/images"); !strings.Contains(images, image) {
			t.Errorf("%s: want %q in:\n%s", name, image, images)
		}
		text, err := os.ReadFile(filepath.Join(root(t), "charts", name, "values.yaml"))
		if err != nil || !strings.Contains(string(text), "\n  repository: reims/"+name+"\n") {
			t.Errorf("%s: its values have another image: %v", name, err)
		}
	}
}

// The picture that Artifact Hub and consoles show is in this repository.
func TestChartsHaveAnIcon(t *testing.T) {
	t.Parallel()
	for _, name := range ours {
		chart := values(t, filepath.Join(root(t), "charts", name, "Chart.yaml"))
		path, ours := strings.CutPrefix(chart.text("icon"), "https://raw.githubusercontent.com/reims/reims-health/main/")
		if !ours {
			t.Fatalf("%s: the icon is %q, not a file of this repository", name, chart.text("icon"))
		}
		text, err := os.ReadFile(filepath.Join(root(t), path))
		if err != nil {
			t.Fatal(err)
		}
		var picture struct {
			XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
			Title   string   `xml:"title"`
		}
		if err := xml.Unmarshal(text, &picture); err != nil || picture.Title == "" {
			t.Errorf("%s: %v, title %q", path, err, picture.Title)
		}
	}
}

// Without values every sentence is told, and lint lets a chart be that needs some.
func TestDefaults(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(charts(t), "reims-health")
	for _, helm := range helms {
		mustTool(t, nil, helm, "lint", "--strict", chart, "--kube-version", kubeVersions[1])
		_, err := tool(t, nil, helm, "template", "rel", chart, "--kube-version", kubeVersions[0])
		if err == nil || strings.Count(err.Error(), "\n- ") != 8 {
			t.Errorf("%s: want 8 sentences: %v", helm, err)
		}
	}
}

// What is kept for development is not in the package, and all that it needs is.
func TestPackage(t *testing.T) {
	t.Parallel()
	for name, needed := range map[string][]string{
		"reims-health":       {"values.schema.json", "README.md", "templates/tests/test.yaml"},
		"reims-health-fleet": {"values.schema.json", "README.md", "crds/health.reims.io_dependencyhealths.yaml"},
	} {
		for _, helm := range helms {
			dir := t.TempDir()
			mustTool(t, nil, helm, "package", filepath.Join(charts(t), name), "--destination", dir)
			archives, _ := filepath.Glob(filepath.Join(dir, name+"-*.tgz"))
			if len(archives) != 1 {
				t.Fatalf("%s made %v", helm, archives)
			}
			files := list(t, archives[0])
			for _, want := range needed {
				if !files[name+"/"+want] {
					t.Errorf("%s leaves out %s of %s", helm, want, name)
				}
			}
			for file := range files {
				if strings.HasPrefix(file, name+"/tests/") || strings.HasPrefix(file, name+"/ci/") {
					t.Errorf("%s packs %s", helm, file)
				}
			}
		}
	}
}
