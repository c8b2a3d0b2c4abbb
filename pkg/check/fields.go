package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// body is an answer, flattened: each value that is no object, or an empty one, by the
// keys that lead to it, with dots between.
type body struct {
	code   int
	fields Object
	// strange says what the answer is, where it is not such a body.
	strange string
}

// read flattens an answer; nil has no fields.
func read(a *Answer) *body {
	if a == nil {
		return &body{}
	}
	b := &body{code: a.Code}
	var o Object
	if b.strange = foreign(a); b.strange == "" && (json.Unmarshal(a.Body, &o) != nil || o == nil) {
		b.strange = fmt.Sprintf("no JSON object (%d %s)", a.Code, http.StatusText(a.Code))
	}
	if b.strange != "" {
		return b
	}
	b.flatten("", o)
	if len(b.fields) > maxKeys {
		return &body{code: a.Code, strange: fmt.Sprintf("JSON with more than %d values (%d %s)", maxKeys, a.Code, http.StatusText(a.Code))}
	}
	return b
}

func (b *body) flatten(at string, o Object) {
	for _, m := range o {
		var (
			key   = strings.TrimPrefix(at+"."+m.Key, ".")
			inner Object
		)
		switch {
		case len(b.fields) > maxKeys:
			return
		case json.Unmarshal(m.Value, &inner) == nil && len(inner) > 0:
			b.flatten(key, inner)
		default:
			b.fields = append(b.fields, Member{key, m.Value})
		}
	}
}

// within reports whether a field is an empty object, and the other body has something
// in it: then that is what differs.
func (m Member) within(other *body) bool {
	return bytes.Equal(bytes.Join(bytes.Fields(m.Value), nil), []byte("{}")) && len(other.beneath(m.Key)) > 0
}

func (b *body) text(field string) string { return b.fields.Text(field) }

// beneath lists the fields below an object, by the keys that lead on from it.
func (b *body) beneath(object string) []string {
	var keys []string
	for _, f := range b.fields {
		if key, ok := strings.CutPrefix(f.Key, object+"."); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// under lists those right below an object.
func (b *body) under(object string) []string {
	return slices.DeleteFunc(b.beneath(object), func(key string) bool { return strings.Contains(key, ".") })
}
