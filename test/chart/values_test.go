package chart_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// sentences begin so, when the chart refuses values.
const sentences = "values of reims-health:\n- "

// Every value does something: with its default or with another one, at least one
// installation is another one, or is refused with a sentence.
func TestEveryValueArrives(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ci    []string // first the one in which nearly all of them show
		least int      // values
	}{
		"reims-health":       {ci: []string{"everything", "reporting", "tls"}, least: 100},
		"reims-health-fleet": {ci: []string{"everything", "monitor", "default"}, least: 40},
	} {
		chart := shapeless(t, name)
		defaults := values(t, filepath.Join(chart, "values.yaml"))
		delete(defaults, "global") // open; its two keys are tested as such
		var installations []installation
		for _, file := range c.ci {
			installations = append(installations, installation{chart, filepath.Join(chart, "ci", file+"-values.yaml")})
		}
		all := leaves(nil, defaults)
		if len(all) < c.least {
			t.Fatalf("%s: %d values", name, len(all))
		}
		for _, l := range all {
			t.Run(name+"/"+strings.Join(l.path, "."), func(t *testing.T) {
				t.Parallel()
				l.arrives(t, installations)
			})
		}
	}
}

// arrives tries the value in each installation.
func (l leaf) arrives(t *testing.T, installations []installation) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	for _, value := range []any{other(l.value), l.value} {
		if err := os.WriteFile(file, l.with(t, value), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, i := range installations {
			before := i.render(t, "helm4", kubeVersions[1])
			out, err := tool(t, nil, "helm4", "template", "rel", i.chart, "--namespace=ns", "--values", i.values, "--values", file,
				"--kube-version", kubeVersions[1], "--skip-schema-validation")
			if err == nil && out != before || err != nil && strings.Contains(err.Error(), "values of "+filepath.Base(i.chart)+":\n- ") {
				return
			}
		}
	}
	t.Error("nothing depends on it")
}

// shapeless is a copy of a chart that takes values of any type.
func shapeless(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(charts(t), name))); err != nil {
		t.Fatal(err)
	}
	shape := filepath.Join(dir, "templates/values/_shape.tpl")
	if _, err := os.Stat(shape); err == nil { // of the other charts Helm checks all types
		write(t, shape, `{{- define "reims-health.shape" }}{{ end }}`)
	}
	return dir
}

type leaf struct {
	path  []string
	value any
}

// leaves are the values that are no map, or an empty one.
func leaves(path []string, value any) []leaf {
	o, ok := value.(object)
	if !ok || len(o) == 0 {
		return []leaf{{slices.Clone(path), value}}
	}
	var all []leaf
	for key, part := range o {
		all = append(all, leaves(append(path, key), part)...)
	}
	return all
}

func other(value any) any {
	switch v := value.(type) {
	case bool:
		return !v
	case int:
		return v + 1
	case float64:
		return v / 2
	case []any:
		return []any{object{"name": "changed"}}
	case object:
		return object{"interval": "changed"}
	default:
		return "changed"
	}
}

// with is a values file that has the value there.
func (l leaf) with(t *testing.T, value any) []byte {
	t.Helper()
	for _, key := range slices.Backward(l.path) {
		value = object{key: value}
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Two aliases in one release stay two, also where the release's name holds both: in their
// names, and in the Pods that they select.
func TestAliasesStayTwo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	chart := filepath.Join(charts(t), "reims-health")
	write(t, filepath.Join(dir, "Chart.yaml"), `apiVersion: v2
name: umbrella
version: 0.1.0
dependencies:
  - {name: reims-health, alias: one, version: ">=0.0.0-0", repository: "file://`+chart+`"}
  - {name: reims-health, alias: two, version: ">=0.0.0-0", repository: "file://`+chart+`"}
`)
	text, err := os.ReadFile(filepath.Join(chart, "ci/hook-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n  ")
	write(t, filepath.Join(dir, "values.yaml"), "one:\n"+indented+"\ntwo:\n"+indented+"\n")
	mustTool(t, nil, "helm4", "dependency", "build", dir)
	for _, release := range []string{"shop", "one", "one-two", "shop-two-one-x", "a-release-whose-name-has-51-characters-in-all-of-it"} {
		seen := make(map[string]bool)
		objects := decode(t, mustTool(t, nil, "helm4", "template", release, dir, "--kube-version", kubeVersions[1]))
		for _, o := range objects {
			name := o.text("kind") + " " + o.text("metadata", "name")
			if seen[name] {
				t.Errorf("release %s: %s is there twice", release, name)
			}
			seen[name] = true
			selected := 0
			for _, d := range objects {
				if sidecarOf(d) != nil && matches(selectorOf(o), d.child("spec", "template", "metadata", "labels")) {
					selected++
				}
			}
			if selectorOf(o) != nil && selected != 1 {
				t.Errorf("release %s: %s selects the Pods of %d Deployments", release, name, selected)
			}
		}
		if len(seen) < 12 {
			t.Errorf("release %s: %d objects", release, len(seen))
		}
	}
}
