package main

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Helm holds values against values.schema.json before it renders a template, and says of a wrong
// one only which keyword of the schema it breaks. So what the templates can say better is not in
// the schema that Helm sees, but in files/values.json, for the templates (_shape.tpl).

// keywords are those that the templates interpret, and those that are only about documentation.
var keywords = []string{
	"$comment", "$ref", "additionalProperties", "description", "enum", "examples", "items", "maxItems", "maxLength", "maximum",
	"minLength", "minimum", "pattern", "properties", "required", "type", "uniqueItems",
}

//go:embed aliases.yaml
var aliasesFile []byte

// aliases are names that other charts have for values of this one, by what people write.
type aliases struct {
	Beside    map[string][]string `yaml:"beside" json:"beside"`
	Elsewhere map[string][]string `yaml:"elsewhere" json:"elsewhere"`
}

// shapeRules are what files/values.json holds.
type shapeRules struct {
	// Values is the rule of the values as a whole.
	Values map[string]any `json:"values"`
	// Paths are the values that there are, by the last part of their paths, in lower case.
	Paths   map[string][]string `json:"paths"`
	Aliases aliases             `json:"aliases"`
}

// rules returns what the templates check, from a strict schema and the defaults.
func rules(strict schema, defaults map[string]any) (shapeRules, error) {
	r := shapeRules{Paths: make(map[string][]string)}
	definitions, _ := strict["definitions"].(schema)
	r.Values = rule(strict, definitions, defaults)
	known := make(map[string]bool)
	index(r.Values, "", func(path, key string) {
		known[path] = true
		r.Paths[strings.ToLower(key)] = append(r.Paths[strings.ToLower(key)], path)
	})
	if err := yaml.Unmarshal(aliasesFile, &r.Aliases); err != nil {
		return r, fmt.Errorf("aliases.yaml: %w", err)
	}
	for name, paths := range r.Aliases.Elsewhere {
		r.Aliases.Elsewhere[name] = slices.DeleteFunc(paths, func(path string) bool { return !known[path] })
	}
	return r, nil
}

// index calls f with the path and the last key of every value, in order.
func index(rule map[string]any, at string, f func(path, key string)) {
	keys, _ := rule["keys"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		path := strings.TrimPrefix(at+"."+key, ".")
		f(path, key)
		index(keys[key].(map[string]any), path, f)
	}
}

// rule returns what the templates check of a value: what its schema says, with the references to
// the chart's own definitions resolved. It is empty where the schema has more than they can check,
// such as a definition of Kubernetes: Helm checks that. A group of the chart has its keys in any
// case.
func rule(s, definitions schema, fallback any) map[string]any {
	s = resolve(s, definitions)
	_, group := s["properties"].(schema)
	if !plain(s, definitions) && !group {
		return left(s)
	}
	out := make(map[string]any)
	for _, name := range []string{"enum", "maxItems", "maxLength", "maximum", "minLength", "minimum", "pattern", "uniqueItems"} {
		if s[name] != nil {
			out[name] = s[name]
		}
	}
	if s["type"] != nil {
		out["type"] = asList(s["type"])
	}
	if s["$comment"] != nil {
		out["want"] = s["$comment"]
	}
	defaults, _ := fallback.(map[string]any)
	if properties := asSchema(s["properties"]); properties != nil {
		keys := make(map[string]any)
		for key, property := range properties {
			keys[key] = rule(asSchema(property), definitions, defaults[key])
		}
		out["keys"] = keys
		if names := asList(s["required"]); len(names) > 0 {
			out["required"] = names
		}
	}
	if inner := asSchema(s["additionalProperties"]); inner != nil {
		out["values"] = rule(inner, definitions, nil)
	} else if s["additionalProperties"] == true {
		out["open"] = true
	}
	if inner := asSchema(s["items"]); inner != nil {
		out["items"] = rule(inner, definitions, nil)
	}
	if examples := asList(s["examples"]); len(examples) > 0 {
		out["example"], out["typical"] = examples[0], true
	} else if !blank(fallback) && defaults == nil {
		out["example"] = fallback
	}
	return out
}

// left is the rule of what Helm checks: of a list, the templates tell the type, since many write a
// map in its place.
func left(s schema) map[string]any {
	out := make(map[string]any)
	if types := asList(s["type"]); slices.Contains(types, any("array")) {
		out["type"] = types
		if examples := asList(s["examples"]); len(examples) > 0 {
			out["example"] = examples[0]
		}
	}
	return out
}

// lenient returns the schema without what rule checks. Descriptions stay, for those who read it.
func lenient(s, definitions schema) schema {
	out := schema{}
	if s["description"] != nil {
		out["description"] = s["description"]
	}
	properties := asSchema(s["properties"])
	switch {
	case properties != nil:
		inner := schema{}
		for key, property := range properties {
			inner[key] = lenient(asSchema(property), definitions)
		}
		out["properties"] = inner
	case !plain(s, definitions):
		out = maps.Clone(s)
		if left(s)["type"] != nil {
			delete(out, "type")
		}
	}
	return out
}

// forHelm returns the schema that Helm and editors take. Helm gives it the values of the chart and
// of its user in one, and leaves to the templates what they can say better. An editor gives it the
// few values that a user has, and marks every mistake in them.
func forHelm(strict schema) schema {
	definitions := asSchema(strict["definitions"])
	out := lenient(strict, definitions)
	for _, name := range []string{"$schema", "title", "definitions"} {
		out[name] = strict[name]
	}
	own := schema{}
	for name, value := range strict {
		if out[name] == nil || name == "properties" {
			own[name] = value
		}
	}
	out["if"] = schema{"maxProperties": len(asSchema(strict["properties"])) * 3 / 4}
	out["then"] = undescribed(own)
	return out
}

// undescribed is the part of a schema without its descriptions.
func undescribed(part any) any {
	switch p := part.(type) {
	case schema:
		return undescribed(map[string]any(p))
	case map[string]any:
		out := schema{}
		for key, inner := range p {
			if _, text := inner.(string); key != "description" || !text {
				out[key] = undescribed(inner)
			}
		}
		return out
	default:
		return part
	}
}

// plain reports whether the templates can check all that a schema says.
func plain(s, definitions schema) bool {
	s = resolve(s, definitions)
	for key := range s {
		if !slices.Contains(keywords, key) || key == "$ref" {
			return false
		}
	}
	for _, inner := range asSchema(s["properties"]) {
		if !plain(asSchema(inner), definitions) {
			return false
		}
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if inner := asSchema(s[name]); inner != nil && !plain(inner, definitions) {
			return false
		}
	}
	return true
}

// resolve follows a reference to a definition of the chart's own.
func resolve(s, definitions schema) schema {
	ref, _ := s["$ref"].(string)
	if ref == "" || strings.HasPrefix(ref, kubernetes) {
		return s
	}
	resolved := maps.Clone(asSchema(definitions[strings.TrimPrefix(ref, "#/definitions/")]))
	for key, value := range s {
		if key != "$ref" && resolved != nil {
			resolved[key] = value
		}
	}
	return resolve(resolved, definitions)
}

func asSchema(part any) schema {
	switch p := part.(type) {
	case schema:
		return p
	case map[string]any:
		return p
	default:
		return nil
	}
}

// asList is a list of one where the schema has no list.
func asList(part any) []any {
	switch p := part.(type) {
	case nil:
		return nil
	case []any:
		return p
	case []string:
		all := make([]any, len(p))
		for i, text := range p {
			all[i] = text
		}
		return all
	default:
		return []any{p}
	}
}

// blank reports whether a default says nothing about what a value looks like.
func blank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}
