package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	text, err := generate([]byte(values))
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
	text, err := generate(fmt.Appendf(nil, ref, "Volume"))
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
	if err := run([]string{"../../../charts/reims-health"}, true); err != nil {
		t.Error(err)
	}
}
