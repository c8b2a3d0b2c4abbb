package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const values = `# About the file.
#
# @schema.root {definitions: {size: {minimum: 1}}}

# -- Whether
# at all.
# @section -- Use
on: true
# A note that nobody publishes.
name: ""
# @schema {minimum: 1, maximum: 9}
port: 8
map:
  # @schema {enum: [a, "off", false]}
  mode: a
  # @schema {type: object, additionalProperties: true}
  open:
    x: 1
  # @schema {$ref: "#/definitions/size"}
  size: {}
  # @schema {type: [integer, "null"]}
  count: 2
`

func TestGenerate(t *testing.T) {
	t.Parallel()
	strict, err := generate([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	text, err := encode(strict)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	want := m{
		"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values", "type": "object", "additionalProperties": false,
		"definitions": m{"size": m{"minimum": 1.0}},
		"required":    []any{"on", "port", "map"}, // an empty default may be dropped by null
		"properties": m{
			"on":   m{"type": "boolean", "description": "Whether at all."},
			"name": m{"type": []any{"string", "null"}},
			"port": m{"type": "integer", "minimum": 1.0, "maximum": 9.0},
			"map": m{"type": "object", "additionalProperties": false, "required": []any{"mode", "open"}, "properties": m{
				"mode":  m{"enum": []any{"a", "off", false}},
				"open":  m{"type": "object", "additionalProperties": true},
				"size":  m{"$ref": "#/definitions/size"},
				"count": m{"type": []any{"integer", "null"}},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGenerateTellsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := generate([]byte("a: {}\nb:\n  c: []\n# @schema {\nd: 1\ne: null\n"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"line 1: a: its default shows no type", "line 3: c: its default", "line 5: d: @schema: ", "line 6: e: its default"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in:\n%v", want, err)
		}
	}
	if _, err := generate([]byte("- a")); err == nil {
		t.Error("a list passes for values")
	}
}

// A definition of Kubernetes comes with those that it refers to, and with its bounds.
func TestGenerateEmbedsKubernetes(t *testing.T) {
	t.Parallel()
	const ref = "# @schema {type: array, items: {$ref: \"#/definitions/io.k8s.api.core.v1.%s\"}}\nlist: []\n"
	strict, err := generate(fmt.Appendf(nil, ref, "Volume"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := encode(strict)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Definitions map[string]schema }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	volume, emptyDir := got.Definitions["io.k8s.api.core.v1.Volume"], got.Definitions["io.k8s.api.core.v1.EmptyDirVolumeSource"]
	if volume["additionalProperties"] != false || volume["maxProperties"] != 2.0 || len(got.Definitions) < 20 {
		t.Errorf("%d definitions; Volume: %v", len(got.Definitions), volume)
	}
	want := map[string]any{"type": []any{"string", "null"}, "pattern": "^(Memory|HugePages(-[0-9]+[KMGT]i)?)?$"}
	if diff := cmp.Diff(want, emptyDir["properties"].(map[string]any)["medium"]); diff != "" {
		t.Errorf("medium: %s", diff)
	}
	if _, err := generate(fmt.Appendf(nil, ref, "Nothing")); err == nil || !strings.Contains(err.Error(), "no definition") {
		t.Errorf("a definition that is not there: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{dir}
	if err := run(args, true); err == nil || !strings.Contains(err.Error(), "make update-chart") {
		t.Errorf("check without a schema: %v", err)
	}
	if err := run(args, false); err != nil {
		t.Error(err)
	}
	if err := run(args, true); err != nil {
		t.Errorf("check after an update: %v", err)
	}
	if err := run(nil, true); err == nil {
		t.Error("no chart, no error")
	}
}

func TestChartIsUpToDate(t *testing.T) {
	t.Parallel()
	for _, chart := range []string{"reims-health", "reims-health-fleet"} {
		if err := run([]string{"../../../charts/" + chart}, true); err != nil {
			t.Error(err)
		}
	}
}

// What the templates check is not in the schema that Helm sees, and all of it is in their rules.
func TestTemplatesCheckWhatHelmDoesNot(t *testing.T) {
	t.Parallel()
	const values = `# @schema.root {definitions: {duration: {type: string, pattern: "^[0-9]+s$", $comment: a duration}}}
# @schema {examples: [a.example]}
# -- Where.
host: ""
port: 8
# @schema {$ref: "#/definitions/duration"}
wait: 5s
# @schema {type: array, items: {type: object, allOf: [{$ref: "#/definitions/io.k8s.api.core.v1.HostAlias"}]}}
aliases: []
group:
  # @schema {enum: [a, b]}
  mode: a
`
	strict, err := generate([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	got, err := rules(strict, map[string]any{"host": "", "port": 8, "wait": "5s", "aliases": []any{}, "group": map[string]any{"mode": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	want := m{
		"type": []any{"object"}, "required": []any{"port", "wait", "group"},
		"keys": m{
			"host":    m{"type": []any{"string", "null"}, "example": "a.example", "typical": true},
			"port":    m{"type": []any{"integer"}, "example": 8},
			"wait":    m{"type": []any{"string"}, "pattern": "^[0-9]+s$", "want": "a duration", "example": "5s"},
			"aliases": m{"type": []any{"array", "null"}},
			"group":   m{"type": []any{"object"}, "required": []any{"mode"}, "keys": m{"mode": m{"enum": []any{"a", "b"}, "example": "a"}}},
		},
	}
	if diff := cmp.Diff(want, got.Values); diff != "" {
		t.Errorf("rules: %s", diff)
	}
	if diff := cmp.Diff([]string{"group.mode"}, got.Paths["mode"]); diff != "" {
		t.Errorf("paths: %s", diff)
	}
	helm := forHelm(strict)
	if helm["additionalProperties"] != nil || helm["required"] != nil || helm["then"].(schema)["additionalProperties"] != false {
		t.Errorf("the schema of Helm is strict, or that of editors is not: %v", helm)
	}
	properties := helm["properties"].(schema)
	if diff := cmp.Diff(schema{"description": "Where."}, properties["host"]); diff != "" {
		t.Errorf("host: %s", diff)
	}
	aliases := properties["aliases"].(schema)
	if aliases["type"] != nil || aliases["items"] == nil {
		t.Errorf("want the items of aliases, whose type the templates check: %v", aliases)
	}
}

// Every name of another chart leads to a value of this one.
func TestAliasesExist(t *testing.T) {
	t.Parallel()
	var all aliases
	if err := yaml.Unmarshal(aliasesFile, &all); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../../charts/reims-health/files/values.json")
	if err != nil {
		t.Fatal(err)
	}
	var have shapeRules
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all.Elsewhere, have.Aliases.Elsewhere); diff != "" || len(all.Elsewhere) == 0 {
		t.Errorf("elsewhere: %s", diff)
	}
	for name, keys := range all.Beside {
		for _, key := range keys {
			if have.Paths[strings.ToLower(key)] == nil && key != "check" { // which services have
				t.Errorf("beside.%s: no group has %s", name, key)
			}
		}
	}
}
