package chart_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a rendered one, or a part of it.
type object map[string]any

func decode(t *testing.T, manifests string) []object {
	t.Helper()
	var all []object
	for d := yaml.NewDecoder(strings.NewReader(manifests)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if o != nil {
			all = append(all, o)
		}
	}
}

// at follows the keys; nil where one is not there.
func (o object) at(keys ...string) any {
	var value any = o
	for _, key := range keys {
		next, _ := value.(object)
		value = next[key]
	}
	return value
}

func (o object) list(keys ...string) []object {
	items, _ := o.at(keys...).([]any)
	var all []object
	for _, item := range items {
		if part, ok := item.(object); ok {
			all = append(all, part)
		}
	}
	return all
}

func (o object) text(keys ...string) string {
	text, _ := o.at(keys...).(string)
	return text
}

func (o object) child(keys ...string) object {
	part, _ := o.at(keys...).(object)
	return part
}

// pod returns the template of the Pods that the object makes, or nil.
func (o object) pod() object {
	switch o.text("kind") {
	case "Pod":
		return o
	case "Deployment", "Job":
		return o.child("spec", "template")
	default:
		return nil
	}
}

func containers(pod object) []object {
	return append(pod.list("spec", "initContainers"), pod.list("spec", "containers")...)
}

// walk calls f with every map, and the key under which it is.
func walk(key string, value any, f func(key string, o object)) {
	switch v := value.(type) {
	case object:
		f(key, v)
		for k, part := range v {
			walk(k, part, f)
		}
	case []any:
		for _, part := range v {
			walk(key, part, f)
		}
	}
}
