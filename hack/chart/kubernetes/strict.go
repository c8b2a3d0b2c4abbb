package main

import "strings"

// collect puts a definition, and all that it refers to, into definitions.
func collect(definitions object, all map[string]object, name string) {
	if definitions[name] != nil {
		return
	}
	definitions[name] = object{} // a definition may refer to itself
	definitions[name] = definition(name, all[name])
	for _, other := range references(all[name]) {
		collect(definitions, all, other)
	}
}

// definition is strict, but for the two that take more than OpenAPI can say.
func definition(name string, schema object) any {
	switch {
	case strings.HasSuffix(name, ".IntOrString"):
		return object{"type": []any{"string", "integer"}}
	case strings.HasSuffix(name, ".Quantity"):
		return object{"type": []any{"string", "number"}}
	default:
		return strict(schema)
	}
}

func references(schema any) []string {
	var names []string
	switch s := schema.(type) {
	case object:
		if ref, ok := s["$ref"].(string); ok {
			names = append(names, strings.TrimPrefix(ref, "#/definitions/"))
		}
		for _, part := range s {
			names = append(names, references(part)...)
		}
	case []any:
		for _, part := range s {
			names = append(names, references(part)...)
		}
	}
	return names
}

// strict returns the schema without prose, and with no keys but those that it names.
func strict(schema any) any {
	switch s := schema.(type) {
	case object:
		return strictObject(s)
	case []any:
		list := make([]any, 0, len(s))
		for _, part := range s {
			list = append(list, strict(part))
		}
		return list
	default:
		return schema
	}
}

func strictObject(s object) object {
	out := object{}
	for key, part := range s {
		switch {
		case key == "properties":
			out[key] = strictProperties(part)
		case key != "description" && !strings.HasPrefix(key, "x-kubernetes-"):
			out[key] = strict(part)
		}
	}
	if s["properties"] != nil && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] == nil {
		out["additionalProperties"] = false
	}
	return out
}

// strictProperties keeps every name, since one may well be called description.
func strictProperties(properties any) object {
	out := object{}
	named, _ := properties.(object)
	for name, part := range named {
		out[name] = strict(part)
	}
	return out
}
