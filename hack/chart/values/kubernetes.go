package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/hack/chart/schemas"
)

// kubernetes is how the names of Kubernetes' own definitions begin.
const kubernetes = "#/definitions/io.k8s."

// embed adds to the schema's definitions those of Kubernetes that it refers to.
func embed(root schema) error {
	all, err := definitions()
	if err != nil {
		return err
	}
	own, ok := root["definitions"].(schema)
	if !ok {
		own = schema{}
	}
	if err := embedAll(own, all, root); err != nil {
		return err
	}
	if len(own) > 0 {
		root["definitions"] = own
	}
	return nil
}

// embedAll adds the definitions that a part of a schema refers to, and those that they
// refer to.
func embedAll(own, all schema, part any) error {
	for _, ref := range references(part) {
		name := strings.TrimPrefix(ref, "#/definitions/")
		if own[name] != nil {
			continue
		}
		definition, ok := all[name].(map[string]any)
		if !ok {
			return fmt.Errorf("no definition %s in Kubernetes' schema", name)
		}
		own[name] = shape(definition)
		if err := embedAll(own, all, own[name]); err != nil {
			return err
		}
	}
	return nil
}

// definitions are Kubernetes' own, by their names.
func definitions() (schema, error) {
	files, err := fs.Glob(schemas.Newest, "*/*.json")
	if err != nil {
		return nil, err
	}
	all := schema{}
	for _, name := range files {
		text, err := schemas.Newest.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var file struct{ Definitions schema }
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		maps.Copy(all, file.Definitions)
	}
	return all, bound(all)
}

// unrequired are definitions whose missing fields the templates tell of in better words.
var unrequired = []string{"ConfigMapKeySelector", "Container", "GRPCAction", "HTTPGetAction", "SecretKeySelector", "SleepAction", "TCPSocketAction", "TopologySpreadConstraint"}

//go:embed bounds.yaml
var bounds []byte

// bound adds to the definitions what bounds.yaml knows of them, and takes away what the
// templates say better.
func bound(all schema) error {
	var more map[string]map[string]schema
	if err := yaml.Unmarshal(bounds, &more); err != nil {
		return fmt.Errorf("bounds.yaml: %w", err)
	}
	delete(more, "shared")
	for _, name := range unrequired {
		delete(all["io.k8s.api.core.v1."+name].(map[string]any), "required")
	}
	fields(all["io.k8s.api.core.v1.EnvVar"])["value"] = map[string]any{} // an unquoted number
	for name, rules := range more {
		definition, ok := all[name].(map[string]any)
		if !ok {
			return fmt.Errorf("bounds.yaml: Kubernetes has no definition %s", name)
		}
		for field, rule := range rules {
			target, ok := fields(definition)[field].(map[string]any)
			if field == "$self" {
				target, ok = definition, true
			}
			if !ok {
				return fmt.Errorf("bounds.yaml: %s has no field %s", name, field)
			}
			if ref, ok := target["$ref"]; ok { // which excludes all others
				delete(target, "$ref")
				target["allOf"] = []any{map[string]any{"$ref": ref}}
			}
			maps.Copy(target, rule)
		}
	}
	return nil
}

func fields(definition any) map[string]any {
	d, _ := definition.(map[string]any)
	properties, _ := d["properties"].(map[string]any)
	return properties
}

// references are the refs to Kubernetes' definitions.
func references(part any) []string {
	var refs []string
	switch p := part.(type) {
	case schema:
		return references(map[string]any(p))
	case map[string]any:
		if ref, ok := p["$ref"].(string); ok && strings.HasPrefix(ref, kubernetes) {
			refs = append(refs, ref)
		}
		for _, inner := range p {
			refs = append(refs, references(inner)...)
		}
	case []any:
		for _, inner := range p {
			refs = append(refs, references(inner)...)
		}
	}
	return refs
}

// shape returns a definition that takes null for everything, as users of Helm drop what
// another values file gave, and the empty text for a word, as Kubernetes does.
func shape(part any) any {
	switch p := part.(type) {
	case schema:
		return shape(map[string]any(p))
	case map[string]any:
		out := schema{}
		for key, inner := range p {
			if key != "format" {
				out[key] = shape(inner)
			}
		}
		if properties, ok := p["properties"].(map[string]any); ok { // where any name may be a key
			named := schema{}
			for name, inner := range properties {
				named[name] = shape(inner)
			}
			out["properties"] = named
		}
		if _, bounded := p["maximum"]; p["format"] == "int32" && !bounded {
			out["maximum"] = math.MaxInt32
		}
		if words, ok := out["enum"].([]any); ok {
			out["enum"] = append(words, "")
		}
		return orNull(out)
	case []any:
		out := make([]any, len(p))
		for i, inner := range p {
			out[i] = shape(inner)
		}
		return out
	default:
		return part
	}
}
