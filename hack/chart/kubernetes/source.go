package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object is a part of a JSON Schema.
type object = map[string]any

// source is a Go module whose file says what some kinds look like.
type source struct {
	folder string // in ours
	module string // path@version; this one where it is empty
	file   string // in the module
	kinds  []string
	read   func(text []byte, kinds []string) (map[string]object, error)
}

// kinds are all that the charts render, as kubeconform names their files.
func kinds() []string {
	return []string{
		"clusterrole-rbac-v1", "clusterrolebinding-rbac-v1", "configmap-v1", "deployment-apps-v1", "ingress-networking-v1",
		"job-batch-v1", "lease-coordination-v1", "networkpolicy-networking-v1", "pod-v1", "poddisruptionbudget-policy-v1", "role-rbac-v1", "rolebinding-rbac-v1", "service-v1", "serviceaccount-v1",
	}
}

// sources are the oldest Kubernetes with native sidecars, the newest, and the newest
// module of the Prometheus Operator that holds its custom resources. The last one is ours.
func sources() []source {
	const (
		swagger    = "api/openapi-spec/swagger.json"
		operator   = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
		monitoring = "example/prometheus-operator-crd/monitoring.coreos.com_"
	)
	return []source{
		{folder: "v1.29.15", module: "k8s.io/kubernetes@v1.29.15", file: swagger, kinds: kinds(), read: fromSwagger},
		{folder: "v1.36.3", module: "k8s.io/kubernetes@v1.36.3", file: swagger, kinds: kinds(), read: fromSwagger},
		{folder: "custom", module: operator, file: monitoring + "podmonitors.yaml", kinds: []string{"podmonitor-monitoring-v1"}, read: fromCRD},
		{folder: "custom", module: operator, file: monitoring + "servicemonitors.yaml", kinds: []string{"servicemonitor-monitoring-v1"}, read: fromCRD},
		{folder: "custom", module: operator, file: monitoring + "prometheusrules.yaml", kinds: []string{"prometheusrule-monitoring-v1"}, read: fromCRD},
		{folder: "custom", file: "charts/reims-health-fleet/crds/health.reims.io_dependencyhealths.yaml", kinds: []string{"dependencyhealth-health-v1alpha1"}, read: fromCRD},
	}
}

// files returns the schemas by the name of their file. The root is that of this module.
func (s source) files(ctx context.Context, root string) (map[string]object, error) {
	dir, from := root, s.file
	if s.module != "" {
		var err error
		if dir, err = download(ctx, s.module); err != nil {
			return nil, err
		}
		from = s.module
	}
	text, err := os.ReadFile(filepath.Join(dir, s.file))
	if err != nil {
		return nil, err
	}
	schemas, err := s.read(text, s.kinds)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.file, err)
	}
	files := make(map[string]object)
	for kind, schema := range schemas {
		schema["$schema"] = "http://json-schema.org/draft-07/schema#"
		schema["$comment"] = "Made by hack/chart/kubernetes from " + from
		files[kind+".json"] = schema
	}
	return files, nil
}

// download returns the folder of a module, from the cache or the proxy.
func download(ctx context.Context, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // of no module: what is asked for stands alone
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w\n%s", module, err, out)
	}
	var info struct{ Dir string }
	err = json.Unmarshal(out, &info)
	return info.Dir, err
}

// fromSwagger picks the kinds from the OpenAPI definitions of an API server.
func fromSwagger(text []byte, kinds []string) (map[string]object, error) {
	var swagger struct{ Definitions map[string]object }
	if err := json.Unmarshal(text, &swagger); err != nil {
		return nil, err
	}
	names := make(map[string]string) // of the definition, by kind
	for name, definition := range swagger.Definitions {
		for _, kind := range kindsOf(definition) {
			names[kind] = name
		}
	}
	schemas := make(map[string]object)
	for _, kind := range kinds {
		name, ok := names[kind]
		if !ok {
			return nil, fmt.Errorf("it has no %s", kind)
		}
		definitions := object{}
		collect(definitions, swagger.Definitions, name)
		schemas[kind] = object{"$ref": "#/definitions/" + name, "definitions": definitions}
	}
	return schemas, nil
}

// kindsOf are the names, as kubeconform has them, of the kinds that a definition is.
func kindsOf(definition object) []string {
	list, _ := definition["x-kubernetes-group-version-kind"].([]any)
	var kinds []string
	for _, item := range list {
		gvk, _ := item.(object)
		group, _, _ := strings.Cut(fmt.Sprint(gvk["group"]), ".")
		parts := []string{strings.ToLower(fmt.Sprint(gvk["kind"])), group, fmt.Sprint(gvk["version"])}
		kinds = append(kinds, strings.ReplaceAll(strings.Join(parts, "-"), "--", "-"))
	}
	return kinds
}

// fromCRD takes the one kind of a CustomResourceDefinition.
func fromCRD(text []byte, kinds []string) (map[string]object, error) {
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPI object `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	if len(crd.Spec.Versions) != 1 || len(kinds) != 1 {
		return nil, fmt.Errorf("it has %d versions, want 1", len(crd.Spec.Versions))
	}
	schema, _ := strict(crd.Spec.Versions[0].Schema.OpenAPI).(object)
	return map[string]object{kinds[0]: schema}, nil
}
