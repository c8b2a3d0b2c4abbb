package chart_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

var profileBlock = regexp.MustCompile("(?s)\n## For any application\n.*?```yaml\n(.*?)```")

// profile is a file with the values that the README has for any application, exactly.
func profile(t *testing.T) string {
	t.Helper()
	found := profileBlock.FindStringSubmatch(readFile(t, "README.md"))
	if found == nil {
		t.Fatal("the README has no values for any application")
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, found[1])
	return file
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rendered is what the chart renders for the README's values, as the examples call it.
func rendered(t *testing.T, args ...string) []object {
	t.Helper()
	i := installation{filepath.Join(charts(t), "reims-health"), profile(t)}
	return decode(t, i.render(t, "helm4", kubeVersions[1], append([]string{"--set", "fullnameOverride=shop"}, args...)...))
}

// PostgreSQL, Redis and one HTTP dependency take 25 lines, and the program accepts what they
// become.
func TestProfile(t *testing.T) {
	t.Parallel()
	i := installation{filepath.Join(charts(t), "reims-health"), profile(t)}
	if lines := strings.Count(readFile(t, "README.md"), "\n"); lines < 100 {
		t.Fatalf("the README has %d lines", lines)
	}
	text, err := os.ReadFile(i.values)
	if lines := strings.Count(string(text), "\n"); err != nil || lines > 25 || lines < 10 {
		t.Errorf("%d lines of values, want 25 at most: %v", lines, err)
	}
	for _, helm := range helms {
		mustTool(t, nil, helm, "lint", "--strict", i.chart, "--values", i.values, "--kube-version", kubeVersions[1])
		for _, kube := range kubeVersions {
			manifests := i.render(t, helm, kube)
			validate(t, kube, manifests)
			for _, o := range decode(t, manifests) {
				if kind := o.text("kind"); kind == "Job" || kind == "Secret" {
					t.Errorf("%s: a %s is rendered", helm, kind)
				}
			}
		}
	}
	env := environment(sidecarOf(deployment(t, rendered(t))))
	accepted(t, env)
	for name, want := range map[string]string{"HEALTH_SERVICES": "database,redis,billing", "DATABASE_SCHEMA_CHECK": "off", "BILLING_CHECK": "https://billing.example.com/healthz"} {
		if env[name] != want {
			t.Errorf("%s=%s, want %s", name, env[name], want)
		}
	}
}

// deployment returns the one that there is.
func deployment(t *testing.T, objects []object) object {
	t.Helper()
	at := slices.IndexFunc(objects, func(o object) bool { return o.text("kind") == "Deployment" && o.text("metadata", "name") == "shop" })
	if at < 0 {
		t.Fatal("no Deployment shop")
	}
	return objects[at]
}

// accepted loads an environment as the program does: no problem, and no warning.
func accepted(t *testing.T, env map[string]string) {
	t.Helper()
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	_, warnings, err := config.Load(config.Options{Environ: environ, Services: registry.Kinds().Services(), Named: registry.Kinds().Named})
	if err != nil || len(warnings) > 0 {
		t.Errorf("%v\nwarnings: %v", err, warnings)
	}
}

// The sidecar of the plain manifest, and that of the base, is what the chart renders.
func TestExampleManifests(t *testing.T) {
	t.Parallel()
	manifests := map[string]string{
		"manifest":  readFile(t, "examples/manifest/shop.yaml"),
		"kustomize": mustTool(t, nil, "kustomize", "build", filepath.Join(root(t), "examples/kustomize/base")),
	}
	want := deployment(t, rendered(t)).pod()
	for name, text := range manifests {
		for _, kube := range kubeVersions {
			validate(t, kube, text)
		}
		objects := decode(t, text)
		same(t, name, want, deployment(t, objects).pod())
		alone(t, name, objects)
	}
}

// same compares the sidecars of two Pods, and their volumes.
func same(t *testing.T, name string, want, got object) {
	t.Helper()
	for _, field := range []string{"initContainers", "volumes"} {
		if diff := cmp.Diff(byName(want.list("spec", field)), byName(got.list("spec", field))); diff != "" {
			t.Errorf("%s: the chart renders other %s (-chart +example):\n%s", name, field, diff)
		}
	}
	if diff := cmp.Diff(environment(want.list("spec", "initContainers")[0]), environment(got.list("spec", "initContainers")[0])); diff != "" {
		t.Errorf("%s: the chart gives the sidecar another environment (-chart +example):\n%s", name, diff)
	}
	for _, field := range []string{"automountServiceAccountToken", "enableServiceLinks", "securityContext"} {
		if diff := cmp.Diff(want.at("spec", field), got.at("spec", field)); diff != "" {
			t.Errorf("%s: %s: %s", name, field, diff)
		}
	}
}

// byName returns items without their environment, whose order means nothing.
func byName(items []object) map[string]object {
	all := make(map[string]object)
	for _, item := range items {
		short := object{}
		for key, value := range item {
			if key != "env" {
				short[key] = value
			}
		}
		all[item.text("name")] = short
	}
	return all
}

// alone holds what a manifest needs where no chart is: its environment is accepted, and the
// Service that HEALTH_PEERS names is there and selects its Pods.
func alone(t *testing.T, name string, objects []object) {
	t.Helper()
	d := deployment(t, objects)
	env := environment(sidecarOf(d))
	accepted(t, env)
	peers := slices.IndexFunc(objects, func(o object) bool {
		return o.text("kind") == "Service" && o.text("metadata", "name") == env["HEALTH_PEERS"] && o.text("spec", "clusterIP") == "None" &&
			o.at("spec", "publishNotReadyAddresses") == true && matches(selectorOf(o), d.pod().child("metadata", "labels"))
	})
	if peers < 0 {
		t.Errorf("%s: no headless Service %s has the Pods, ready or not", name, env["HEALTH_PEERS"])
	}
}

// What the overlay changes is what the chart renders with the values changed alike.
func TestExampleOverlay(t *testing.T) {
	t.Parallel()
	text := mustTool(t, nil, "kustomize", "build", filepath.Join(root(t), "examples/kustomize/overlays/production"))
	for _, kube := range kubeVersions {
		validate(t, kube, text)
	}
	objects := decode(t, text)
	alone(t, "overlay", objects)
	d := deployment(t, objects)
	same(t, "overlay", deployment(t, rendered(t, "--set", "database.host=postgres.production.example.com",
		"--set", "services.orders.check=postgres://shop_health@orders.production.example.com:5432/orders",
		"--set", "services.orders.existingSecret=orders", "--set", "services.orders.readiness=startup")).pod(), d.pod())
	if image := d.pod().list("spec", "containers")[0].text("image"); d.at("spec", "replicas") != 4 || d.text("metadata", "namespace") != "shop" || image != "registry.example.com/shop:1.4.2" {
		t.Errorf("replicas %v, namespace %s, image %s", d.at("spec", "replicas"), d.text("metadata", "namespace"), image)
	}
}

// composed is what the test needs of a compose file that compose has read.
type composed struct {
	Services map[string]struct {
		Image       string            `json:"image"`
		Environment map[string]string `json:"environment"`
		Secrets     []struct {
			Source string `json:"source"`
		} `json:"secrets"`
	} `json:"services"`
}

// The compose file is read as Docker Compose does; what the sidecar is told is accepted, and
// is there.
func TestExampleCompose(t *testing.T) {
	t.Parallel()
	path := filepath.Join(root(t), "examples/compose/compose.yaml")
	var project composed
	if err := json.Unmarshal([]byte(mustTool(t, nil, "compose", "-format", "json", path)), &project); err != nil {
		t.Fatal(err)
	}
	health := project.Services["health"]
	accepted(t, health.Environment)
	billing, err := url.Parse(health.Environment["BILLING_CHECK"])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{health.Environment["DATABASE_HOST"], health.Environment["REDIS_HOST"], billing.Hostname()} {
		if _, ok := project.Services[host]; !ok || host == "" {
			t.Errorf("no service %q", host)
		}
	}
	mounted := make(map[string]bool)
	for _, s := range health.Secrets {
		mounted["/run/secrets/"+s.Source] = true
	}
	files := 0
	for name, value := range health.Environment {
		if strings.HasSuffix(name, "_FILE") {
			files++
			if !mounted[value] {
				t.Errorf("%s=%s, which is not mounted", name, value)
			}
		}
	}
	if image := sidecarOf(deployment(t, rendered(t))).text("image"); health.Image != image || files != 2 {
		t.Errorf("image %s, the chart's is %s; %d secrets", health.Image, image, files)
	}
	misspelt := filepath.Join(t.TempDir(), "compose.yaml")
	write(t, misspelt, strings.Replace(readFile(t, "examples/compose/compose.yaml"), "healthcheck:", "healthchek:", 1))
	if _, err := tool(t, nil, "compose", misspelt); err == nil || !strings.Contains(err.Error(), "healthchek") {
		t.Errorf("a key that is not there: %v", err)
	}
}

// The walk-through with kind installs what is there: hosts, ports and keys of the Secret.
func TestExampleKind(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(root(t), "examples/kind")
	dependencies := readFile(t, "examples/kind/dependencies.yaml")
	ports := make(map[string]bool)
	for _, kube := range kubeVersions {
		validate(t, kube, dependencies)
	}
	objects := decode(t, dependencies)
	for _, o := range objects {
		if o.text("kind") != "Service" {
			continue
		}
		served := slices.ContainsFunc(objects, func(d object) bool {
			return d.pod() != nil && matches(selectorOf(o), d.pod().child("metadata", "labels")) &&
				d.pod().list("spec", "containers")[0].list("ports")[0]["containerPort"] == o.list("spec", "ports")[0]["targetPort"]
		})
		ports[o.text("metadata", "name")] = served
	}
	i := installation{filepath.Join(charts(t), "reims-health"), filepath.Join(dir, "values.yaml")}
	for _, helm := range helms {
		manifests := i.render(t, helm, kubeVersions[1])
		validate(t, kubeVersions[1], manifests)
		d := deployment(t, decode(t, manifests))
		env := environment(sidecarOf(d))
		accepted(t, env)
		billing, err := url.Parse(env["BILLING_CHECK"])
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{env["DATABASE_HOST"], env["REDIS_HOST"], billing.Hostname()} {
			if !ports[host] {
				t.Errorf("no Service %q with the port of its Pods", host)
			}
		}
		page := readFile(t, "docs/kubernetes-in-five-minutes.md")
		secrets := 0
		walk("", d, func(_ string, part object) {
			if key := part.text("key"); key != "" && part["path"] != nil {
				secrets++
				if !strings.Contains(page, "--from-literal="+key+"=") {
					t.Errorf("the page makes no key %s of the Secret", key)
				}
			}
		})
		if image := sidecarOf(d).text("image"); secrets != 2 || !strings.Contains(page, "docker build -t "+image+" .") {
			t.Errorf("%d secrets; the page does not build %s", secrets, image)
		}
	}
}

// Every example is in the list.
func TestExamplesAreListed(t *testing.T) {
	t.Parallel()
	list := readFile(t, "examples/README.md")
	entries, err := os.ReadDir(filepath.Join(root(t), "examples"))
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.Contains(list, "| ["+e.Name()+"](") {
			t.Errorf("examples/README.md does not list %s", e.Name())
		}
	}
}
