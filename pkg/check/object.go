package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Object is a JSON object whose keys keep their order. Null leaves it nil.
type Object []Member

// Member is one key of an [Object] and its value, as it was sent.
type Member struct {
	Key   string
	Value json.RawMessage
}

// UnmarshalJSON reads an object. A key that is there twice is an error, and so are more
// than 1000 keys, or one above 200 characters.
func (o *Object) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('{') {
		return errors.New("want a JSON object")
	}
	members, there := Object{}, make(map[string]bool)
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		m := Member{Key: Printable(key.(string))} //nolint:forcetypeassert // the decoder allows nothing else
		if err := dec.Decode(&m.Value); err != nil {
			return err
		}
		switch {
		case m.Key != Shorten(m.Key):
			return fmt.Errorf("a key is above %d characters: %s", maxText, Shorten(m.Key))
		case there[m.Key]:
			return fmt.Errorf("the key %q is there twice", m.Key)
		case len(members) == maxKeys:
			return fmt.Errorf("there are more than %d keys", maxKeys)
		}
		there[m.Key] = true
		members = append(members, m)
	}
	*o = members
	return nil
}

// MarshalJSON writes the members in order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.Key)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(m.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Get returns the value of a key.
func (o Object) Get(key string) (json.RawMessage, bool) {
	for _, m := range o {
		if m.Key == key {
			return m.Value, true
		}
	}
	return nil, false
}

// Keys returns the keys in order.
func (o Object) Keys() []string {
	keys := make([]string, len(o))
	for i, m := range o {
		keys[i] = m.Key
	}
	return keys
}

// Text returns the string at a key, or "" where there is none.
func (o Object) Text(key string) string {
	var s string
	if value, ok := o.Get(key); !ok || json.Unmarshal(value, &s) != nil {
		return ""
	}
	return Printable(s)
}

// Number returns the number at a key.
func (o Object) Number(key string) (n float64, ok bool) {
	value, ok := o.Get(key)
	if !ok || bytes.Equal(value, []byte("null")) || json.Unmarshal(value, &n) != nil {
		return 0, false
	}
	return n, true
}
