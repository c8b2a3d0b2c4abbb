package check

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// body is an answer, flattened: each value that is no object by the keys that lead to
// it, with dots between.
type body struct {
	code   int
	fields Object
}

// read flattens an answer; nil has no fields.
func read(a *Answer) *body {
	if a == nil {
		return &body{}
	}
	b := &body{code: a.Code}
	b.flatten("", a.Body)
	return b
}

func (b *body) flatten(at string, value json.RawMessage) {
	var o Object
	if !bytes.HasPrefix(bytes.TrimSpace(value), []byte("{")) || json.Unmarshal(value, &o) != nil {
		b.fields = append(b.fields, Member{at, value})
		return
	}
	for _, m := range o {
		b.flatten(strings.TrimPrefix(at+"."+m.Key, "."), m.Value)
	}
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
