package chart_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/examples/mail"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// A kind is added to the chart with one file, one line and one block of values. What
// make update-chart writes from the registry is written here.
func TestAddingAKind(t *testing.T) {
	t.Parallel()
	chart := withMail(t)
	args := []string{
		"--set", "mail.host=mail.example.com", "--set", "mail.port=465", "--set", "mail.tls.enabled=true", "--set", "mail.readiness=startup",
		"--set", "mail.probe.failureThreshold=4",
	}
	i := installation{chart, filepath.Join(chart, "ci/hook-values.yaml")}
	for _, helm := range helms {
		env := make(map[string]string)
		for _, o := range decode(t, i.render(t, helm, kubeVersions[1], args...)) {
			if o.text("kind") != "Deployment" {
				continue
			}
			for _, v := range o.pod().list("spec", "initContainers")[0].list("env") {
				env[v.text("name")] = v.text("value")
			}
		}
		maps.DeleteFunc(env, func(name, _ string) bool { return name != "HEALTH_SERVICES" && !strings.HasPrefix(name, "MAIL_") })
		want := map[string]string{
			"HEALTH_SERVICES": "database,mail", "MAIL_HOST": "mail.example.com", "MAIL_PORT": "465", "MAIL_TLS": "on", "MAIL_READINESS": "startup",
			"MAIL_PROBE_FAILURE_THRESHOLD": "4",
		}
		if diff := cmp.Diff(want, env); diff != "" {
			t.Errorf("%s: %s", helm, diff)
		}
	}
	refused := map[string][]string{
		`mail.port: "0" is not a whole number from 1 to 65535.`:                                     {"--set", "mail.port=0"},
		`mail.probe.timeout: "soon" is not a duration`:                                              {"--set", "mail.probe.timeout=soon"},
		`sidecar.extraEnv sets MAIL_HOST, which is already set by another value of the chart`:       {"--set", "sidecar.extraEnv[0].name=MAIL_HOST"},
		`set at least one of database.host, redis.host, minio.endpoint, ollama.host and mail.host.`: {"--set", "mail.host=,database.host="},
	}
	for want, more := range refused {
		all := append([]string{"template", "rel", chart, "--values", i.values, "--kube-version", kubeVersions[1], "--skip-schema-validation"}, args...)
		if _, err := tool(t, nil, "helm4", append(all, more...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q: %v", more, want, err)
		}
	}
}

// withMail returns a copy of the chart to which the kind of examples/mail was added.
func withMail(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "reims-health")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(charts(t), "reims-health"))); err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	example := filepath.Join(root(t), "examples/mail")
	write(t, filepath.Join(dir, "templates/services/_mail.tpl"), read(filepath.Join(example, "_mail.tpl")))
	services := filepath.Join(dir, "templates/_services.tpl")
	const last = "\n- ollama\n"
	if strings.Count(read(services), last) != 1 {
		t.Fatalf("templates/_services.tpl has no line %q", last)
	}
	write(t, services, strings.Replace(read(services), last, last+"- mail\n", 1))
	defaults := filepath.Join(dir, "values.yaml")
	write(t, defaults, read(defaults)+"\n"+read(filepath.Join(example, "values.yaml")))
	named, err := registry.Kinds().Examples("named-service")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := json.Marshal(config.Export(append(registry.Kinds(), mail.Kind()).Services(), named...))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "files/configuration.json"), string(rules))
	// The schema knows no other value, nor do the templates' rules: make update-chart writes both anew.
	if err := os.Remove(filepath.Join(dir, "values.schema.json")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "templates/values/_shape.tpl"), `{{- define "reims-health.shape" }}{{ end }}`)
	return dir
}
