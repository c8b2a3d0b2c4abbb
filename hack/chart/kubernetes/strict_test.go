package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const swagger = `{"definitions": {
  "io.Thing": {
    "description": "prose", "type": "object", "required": ["spec"],
    "x-kubernetes-group-version-kind": [{"group": "batch.example.com", "version": "v1", "kind": "Thing"}],
    "properties": {
      "description": {"type": "string", "description": "a field of that name"},
      "spec": {"$ref": "#/definitions/io.Spec"},
      "labels": {"type": "object", "additionalProperties": {"type": "string"}}
    }
  },
  "io.Spec": {"type": "object", "properties": {
    "port": {"$ref": "#/definitions/io.IntOrString"}, "size": {"$ref": "#/definitions/io.Quantity"},
    "inner": {"type": "array", "items": {"$ref": "#/definitions/io.Spec"}}
  }},
  "io.IntOrString": {"type": "string", "format": "int-or-string"},
  "io.Quantity": {"type": "string"},
  "io.Other": {"type": "object"}
}}`

func TestFromSwagger(t *testing.T) {
	t.Parallel()
	got, err := fromSwagger([]byte(swagger), []string{"thing-batch-v1"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]object{"thing-batch-v1": {
		"$ref": "#/definitions/io.Thing",
		"definitions": object{
			"io.Thing": object{
				"type": "object", "required": []any{"spec"}, "additionalProperties": false,
				"properties": object{
					"description": object{"type": "string"},
					"spec":        object{"$ref": "#/definitions/io.Spec"},
					"labels":      object{"type": "object", "additionalProperties": object{"type": "string"}},
				},
			},
			"io.Spec": object{"type": "object", "additionalProperties": false, "properties": object{
				"port": object{"$ref": "#/definitions/io.IntOrString"}, "size": object{"$ref": "#/definitions/io.Quantity"},
				"inner": object{"type": "array", "items": object{"$ref": "#/definitions/io.Spec"}},
			}},
			"io.IntOrString": object{"type": []any{"string", "integer"}},
			"io.Quantity":    object{"type": []any{"string", "number"}},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := fromSwagger([]byte(swagger), []string{"thing-batch-v2"}); err == nil {
		t.Error("a kind that is not there is no error")
	}
}

func TestKindsOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"group": "", "version": "v1", "kind": "Pod"}`:                                  "pod-v1",
		`{"group": "apps", "version": "v1", "kind": "Deployment"}`:                       "deployment-apps-v1",
		`{"group": "rbac.authorization.k8s.io", "version": "v1", "kind": "ClusterRole"}`: "clusterrole-rbac-v1",
	} {
		var gvk any
		if err := json.Unmarshal([]byte(text), &gvk); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, kindsOf(object{"x-kubernetes-group-version-kind": []any{gvk}})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFromCRD(t *testing.T) {
	t.Parallel()
	crd := object{"spec": object{"versions": []any{object{"schema": object{"openAPIV3Schema": object{
		"type": "object", "description": "prose",
		"properties": object{"free": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": object{}}},
	}}}}}}
	text, err := yaml.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fromCRD(text, []string{"thing-example-v1"})
	want := map[string]object{"thing-example-v1": {
		"type": "object", "additionalProperties": false,
		"properties": object{"free": object{"type": "object", "properties": object{}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// The schema of our own resource is that of its definition. Those of others need a download, see
// make verify-chart-schemas.
func TestOwnSchemaIsUpToDate(t *testing.T) {
	t.Parallel()
	own := 0
	for _, s := range sources() {
		if s.module != "" {
			continue
		}
		own++
		if err := s.update(t.Context(), "../../..", true); err != nil {
			t.Error(err)
		}
	}
	if own != 1 {
		t.Errorf("%d of our own resources", own)
	}
}
