package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// generate returns the strict schema of a values.yaml. What a default shows (type, keys of a
// map) is taken from it, and no map takes other keys. A default that is empty may be
// null as well. Each other key is required that may not be null: Helm merges the defaults
// in before it validates, so one that is missing was deleted, by a null. A comment above a value, in YAML, says the rest, and one with
// # @schema.root adds to the schema as a whole:
//
//	# @schema {minimum: 1, maximum: 65535}
//	# -- Port that the API listens on.
//	port: 8000
//
// An annotation may refer to a definition of Kubernetes, such as
// #/definitions/io.k8s.api.core.v1.Toleration: fields that it does not know, and types that
// it does not take, would else be found by the API server alone.
//
// Every problem is told, each with its line.
func generate(values []byte) (schema, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(values, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("want one map")
	}
	root, err := object(document.Content[0])
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Values"
	extra, rootErr := annotation(string(values), "@schema.root")
	maps.Copy(root, extra)
	if err := errors.Join(err, rootErr, embed(root)); err != nil {
		return nil, err
	}
	return root, nil
}

// object describes a map: its keys, and no others.
func object(node *yaml.Node) (schema, error) {
	properties := schema{}
	required := []string{}
	var errs []error
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		property, err := property(key, value)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %s: %w", key.Line, key.Value, err))
		}
		if empty(value) {
			property = orNull(property)
		}
		properties[key.Value] = property
		if !empty(value) && !nullable(property) {
			required = append(required, key.Value)
		}
	}
	return schema{
		"type": "object", "additionalProperties": false, "properties": properties, "required": required,
	}, errors.Join(errs...)
}

// empty reports whether a default is the same as none, so that null may stand for it.
func empty(value *yaml.Node) bool {
	return value.Tag == "!!str" && value.Value == "" || value.Kind != yaml.ScalarNode && len(value.Content) == 0
}

// orNull lets a property be null, too. One that refers to a definition is left as it is.
func orNull(property schema) schema {
	if property == nil {
		return nil
	}
	if name, ok := property["type"].(string); ok {
		property["type"] = []any{name, "null"}
	} else if types, ok := property["type"].([]any); ok && !nullable(property) {
		property["type"] = append(types, "null")
	}
	if words, ok := property["enum"].([]any); ok {
		property["enum"] = append(words, nil)
	}
	return property
}

func nullable(property schema) bool {
	types, _ := property["type"].([]any)
	return slices.Contains(types, any("null"))
}

// property describes a value by its annotation, and where that leaves it open by the
// default.
func property(key, value *yaml.Node) (schema, error) {
	given, err := annotation(key.HeadComment, "@schema")
	if err != nil {
		return nil, err
	}
	if text := description(key.HeadComment); text != "" {
		given["description"] = text
	}
	if given["type"] != nil || given["enum"] != nil || given["$ref"] != nil {
		return given, nil
	}
	inferred, err := infer(value)
	maps.Copy(inferred, given)
	return inferred, err
}

func infer(value *yaml.Node) (schema, error) {
	if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
		return object(value)
	}
	types := map[string]string{"!!str": "string", "!!int": "integer", "!!bool": "boolean"}
	if t, ok := types[value.Tag]; ok {
		return schema{"type": t}, nil
	}
	return schema{}, errors.New("its default shows no type: give one with # @schema {type: …}")
}

// annotation reads the line of a comment that begins with the mark.
func annotation(comment, mark string) (schema, error) {
	s := schema{}
	for line := range strings.Lines(comment) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "# "+mark+" ")
		if !ok {
			continue
		}
		if err := yaml.Unmarshal([]byte(text), &s); err != nil {
			return s, fmt.Errorf("%s: %w", mark, err)
		}
	}
	return s, nil
}

var (
	descriptionStart = regexp.MustCompile(`^# -- `)
	mark             = regexp.MustCompile(`^# @`)
)

// description is the text that helm-docs shows: from "# -- " on, without marks.
func description(comment string) string {
	var words []string
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(line)
		switch {
		case descriptionStart.MatchString(line):
			words = []string{strings.TrimPrefix(line, "# -- ")}
		case words != nil && !mark.MatchString(line):
			words = append(words, strings.TrimSpace(strings.TrimPrefix(line, "#")))
		}
	}
	return strings.Join(words, " ")
}
