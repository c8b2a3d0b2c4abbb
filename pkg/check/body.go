package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Health is the body of /health.
type Health struct {
	Success   bool      `json:"success"`
	Status    string    `json:"status"`
	Services  Object    `json:"services"`
	Details   Object    `json:"details"`
	Timestamp time.Time `json:"timestamp"`
	// CheckMS is the longest of the latest probes, in milliseconds.
	CheckMS float64 `json:"check_duration_ms"`
}

// Detail returns the details of a service; none where they are withheld.
func (h *Health) Detail(service string) Object {
	var o Object
	if value, ok := h.Details.Get(service); ok {
		_ = json.Unmarshal(value, &o) // what is no object has been found to be wrong
	}
	return o
}

// Service is the body of /health/NAME.
type Service struct {
	Success   bool      `json:"success"`
	Status    string    `json:"status"`
	Details   Object    `json:"details"`
	Timestamp time.Time `json:"timestamp"`
}

// readiness is the body of /health/ready.
type readiness struct {
	Status    string    `json:"status"`
	Timestamp time.Time `json:"timestamp"`
	Details   Object    `json:"details"`
}

// unknownPath is the body of a 404.
type unknownPath struct {
	Success bool     `json:"success"`
	Error   string   `json:"error"`
	Paths   []string `json:"paths"`
}

// decode reads a JSON body and says what is wrong with its shape: keys are the ones
// that it must have, in this order. More keys are fine. It reports whether there is
// anything to judge.
func (f *finding) decode(a *Answer, into any, keys ...string) bool {
	var o Object
	if err := json.Unmarshal(a.Body, &o); err != nil {
		f.wrong("the body is no JSON object: %v", err)
		return false
	}
	var there []string
	for _, key := range o.Keys() {
		if slices.Contains(keys, key) {
			there = append(there, key)
		}
	}
	f.want(slices.Equal(there, keys), "the keys are %s: want %s in this order",
		strings.Join(o.Keys(), ", "), strings.Join(keys, ", "))
	if err := json.Unmarshal(a.Body, into); err != nil {
		f.wrong("the body: %v", err)
		return false
	}
	return true
}

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

// Time returns the time at a key, or the zero time where there is none.
func (o Object) Time(key string) time.Time {
	t, _ := time.Parse(time.RFC3339, o.Text(key))
	return t
}

// Number returns the number at a key.
func (o Object) Number(key string) (n float64, ok bool) {
	value, ok := o.Get(key)
	if !ok || bytes.Equal(value, []byte("null")) || json.Unmarshal(value, &n) != nil {
		return 0, false
	}
	return n, true
}
