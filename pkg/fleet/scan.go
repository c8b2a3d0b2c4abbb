package fleet

import (
	"bytes"
	"encoding/json"
	"strings"
)

// scanner walks through JSON that is valid, in the place of encoding/json, which takes several times as
// long for an answer of which little is used.
type scanner struct {
	text []byte
	at   int
}

// next moves to the next byte that is no white space, and returns it.
func (s *scanner) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// object calls each with every key of the object that comes next; each moves behind its value. It
// reports false where what comes is no object, or each does.
func (s *scanner) object(each func(key string) bool) bool {
	if s.next() != '{' {
		return false
	}
	for s.at++; s.next() != '}'; {
		if s.text[s.at] == ',' {
			s.at++
		}
		key, _ := s.string()
		s.next()
		s.at++ // the colon
		if !each(key) {
			return false
		}
	}
	s.at++
	return true
}

// string returns the string that comes next. It reports false where something else does.
func (s *scanner) string() (string, bool) {
	if s.next() != '"' {
		return "", false
	}
	begin := s.at
	s.skip()
	if inside := s.text[begin+1 : s.at-1]; bytes.IndexByte(inside, '\\') < 0 {
		return string(inside), true
	}
	var text string
	err := json.Unmarshal(s.text[begin:s.at], &text)
	return text, err == nil
}

// textOrNull is the same where null is "".
func (s *scanner) textOrNull() (string, bool) {
	if s.null() {
		return "", true
	}
	return s.string()
}

// null moves behind a null, where one comes next, and reports that.
func (s *scanner) null() bool {
	if s.next() != 'n' {
		return false
	}
	s.skip()
	return true
}

// skip moves behind the value that comes next.
func (s *scanner) skip() {
	s.next()
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case '"':
			for s.at++; s.text[s.at] != '"'; s.at++ {
				if s.text[s.at] == '\\' {
					s.at++
				}
			}
			s.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			s.at++
			continue
		default: // a number or a word
			for s.at < len(s.text) && strings.IndexByte(",:]} \t\n\r", s.text[s.at]) < 0 {
				s.at++
			}
		}
		if depth == 0 {
			return
		}
	}
}
