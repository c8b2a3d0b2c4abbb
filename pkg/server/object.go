package server

import (
	"encoding/json"
	"strconv"
)

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any // an object, an encoded value, or a value for encoding/json
}

// encoded is an object in JSON.
type encoded []byte

// appendMember returns the object with a string member added at its end, and a newline. The
// object must not be empty.
func (e encoded) appendMember(key, value string) []byte {
	b := make([]byte, 0, len(e)+len(key)+len(value)+len(`,"":""`)+1)
	b = append(b, e[:len(e)-1]...)
	b = appendString(append(b, ','), key)
	b = appendString(append(b, ':'), value)
	return append(b, '}', '\n')
}

// encode returns the object and a newline.
func (o object) encode() []byte {
	return append(o.appendTo(make([]byte, 0, 256)), '\n')
}

// appendTo appends the object as JSON, with the same text as encoding/json. It is
// called for every result of a check; encoding/json alone would process each value
// once per object that contains it.
func (o object) appendTo(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, m.key), ':')
		b = appendValue(b, m.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case object:
		return v.appendTo(b)
	case encoded:
		return append(b, v...)
	case *encoded: // costs no allocation
		return append(b, *v...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	default:
		return appendAny(b, v)
	}
}

// appendString appends a string, with encoding/json if any character needs escaping.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendAny(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendAny appends a value as encoding/json encodes it. The values that the renderers put into an
// object (strings, finite numbers, lists of strings) can always be encoded; should that
// ever change, the response stays valid JSON with a null.
func appendAny(b []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}
