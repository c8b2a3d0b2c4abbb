//go:build e2e

package chart_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/test/servers"
)

// resources are the paths of the kinds that the charts render. Those of Prometheus' operator
// are not here: the API server has no definition of them.
var resources = map[string]string{
	"ClusterRole": "apis/rbac.authorization.k8s.io/v1/clusterroles", "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
	"DependencyHealth": "apis/health.reims.io/v1alpha1/%s/dependencyhealths", "ConfigMap": "api/v1/%s/configmaps", "Deployment": "apis/apps/v1/%s/deployments", "Ingress": "apis/networking.k8s.io/v1/%s/ingresses",
	"Job": "apis/batch/v1/%s/jobs", "NetworkPolicy": "apis/networking.k8s.io/v1/%s/networkpolicies", "Pod": "api/v1/%s/pods",
	"PodDisruptionBudget": "apis/policy/v1/%s/poddisruptionbudgets", "Role": "apis/rbac.authorization.k8s.io/v1/%s/roles",
	"RoleBinding": "apis/rbac.authorization.k8s.io/v1/%s/rolebindings", "Service": "api/v1/%s/services", "ServiceAccount": "api/v1/%s/serviceaccounts",
}

// Whatever values render, the API server takes: else it would refuse them only after the
// hook has migrated. The values are those of the ci folders, of the unit tests, and hostile
// ones.
func TestAPIServerTakesWhatIsRendered(t *testing.T) {
	server := newAPIServer(t)
	for _, i := range installations(t) {
		server.takes(t, i.String(), i.render(t, "helm4", kubeVersions[1]))
	}
	for name, want := range map[string]struct{ rendered, refused int }{"reims-health": {100, 50}, "reims-health-fleet": {15, 8}} {
		chart := filepath.Join(charts(t), name)
		rendered, refused := 0, 0
		for test, files := range unitTestValues(t, chart) {
			args := []string{"template", "rel", chart, "--namespace=ns", "--kube-version", kubeVersions[1]}
			for _, f := range files {
				args = append(args, "--values", f)
			}
			out, err := tool(t, nil, "helm4", args...)
			if err != nil {
				refused++
				continue
			}
			rendered++
			server.takes(t, test, out)
		}
		t.Logf("%s: of the unit tests' values %d render and %d are refused", name, rendered, refused)
		if rendered < want.rendered || refused < want.refused {
			t.Errorf("%s: %d sets render and %d are refused: want most of the unit tests'", name, rendered, refused)
		}
	}
}

// unitTestValues are the values of each test in the chart's tests folder, as files.
func unitTestValues(t *testing.T, chart string) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	suites, err := filepath.Glob(filepath.Join(chart, "tests", "*_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, path := range suites {
		suite := values(t, path)
		for n, test := range suite.list("tests") {
			var files []string
			for _, list := range []any{suite["values"], test["values"]} {
				names, _ := list.([]any)
				for _, name := range names {
					files = append(files, filepath.Join(chart, "tests", fmt.Sprint(name)))
				}
			}
			if set := test.child("set"); set != nil {
				nested := object{}
				for key, value := range set {
					merge(nested, leaf{path: strings.Split(key, ".")}, value)
				}
				text, err := yaml.Marshal(nested)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(dir, fmt.Sprintf("%s-%d.yaml", filepath.Base(path), n))
				write(t, file, string(text))
				files = append(files, file)
			}
			all[filepath.Base(path)+": "+test.text("it")] = files
		}
	}
	return all
}

// merge sets the value of a dotted key, beside what other keys have set.
func merge(into object, key leaf, value any) {
	for i, part := range key.path {
		if i == len(key.path)-1 {
			into[part] = value
			return
		}
		next, ok := into[part].(object)
		if !ok {
			next = object{}
			into[part] = next
		}
		into = next
	}
}

type apiServer struct {
	*servers.Kubernetes
	client *http.Client
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	k := servers.RunKubernetes(t)
	ca, err := os.ReadFile(k.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	s := &apiServer{k, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}
	if answer := s.create(t, "api/v1/namespaces", "", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "ns"}}); answer != "" {
		t.Fatal(answer)
	}
	definition := decode(t, readFile(t, "charts/reims-health-fleet/crds/health.reims.io_dependencyhealths.yaml"))[0]
	if answer := s.create(t, "apis/apiextensions.k8s.io/v1/customresourcedefinitions", "", definition); answer != "" {
		t.Fatal(answer)
	}
	workload := object{"apiVersion": "health.reims.io/v1alpha1", "kind": "DependencyHealth", "metadata": object{"name": "x"}, "spec": object{"service": "x"}}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C { // it serves a definition a moment after it was made
		answer := s.create(t, fmt.Sprintf(resources["DependencyHealth"], "namespaces/ns"), "?dryRun=All", workload)
		if answer == "" {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("no DependencyHealth can be made: %s", answer)
		}
	}
}

// takes asks with a dry run, each object apart.
func (s *apiServer) takes(t *testing.T, name, manifests string) {
	t.Helper()
	for _, o := range decode(t, manifests) {
		path, ok := resources[o.text("kind")]
		if !ok {
			continue
		}
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, "namespaces/ns")
			o.child("metadata")["namespace"] = "ns"
		}
		answer := s.create(t, path, "?dryRun=All&fieldValidation=Strict", o)
		if strings.Contains(answer, "not configured on this cluster") { // its families are, the value is not, at fault
			continue
		}
		if answer != "" {
			t.Errorf("%s: %s %s: %s", name, o.text("kind"), o.text("metadata", "name"), answer)
		}
	}
}

// create returns the refusal, or nothing.
func (s *apiServer) create(t *testing.T, path, query string, o object) string {
	t.Helper()
	body, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint()+"/"+path+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.Token)
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusCreated {
		return ""
	}
	var status struct{ Message string }
	if err := json.Unmarshal(text, &status); err != nil {
		return string(text)
	}
	return status.Message
}
