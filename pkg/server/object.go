package server

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any // what encoding/json takes, or an object
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode returns the object and a newline. What the renderers put into an object
// (strings, finite numbers, lists of strings) can always be encoded; should that
// ever change, the reader is told instead of being given half a body.
func (o object) encode() []byte {
	body, err := json.Marshal(o)
	if err != nil {
		body = []byte(`{"success":false,"error":"the answer could not be encoded"}`)
	}
	return append(body, '\n')
}
