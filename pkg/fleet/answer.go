package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// What one answer may have: a sidecar has at most 16 services, and their `safe` answer takes
// less than 32 KiB.
const (
	maxServices = 16
	maxAnswer   = 64 << 10
)

// kindReasons are those that some kinds of service declare. The kinds are not imported, for
// with them come the clients of all servers; a test holds the list against them.
var kindReasons = []health.Reason{
	"quorum", "cluster_down", "out_of_memory", "schema_behind", "writes_stalled", "bucket_missing", "model_missing", "inference",
	"status", "body", "not_serving",
}

// knownReasons returns every reason that a sidecar of this release gives, by its text.
func knownReasons() map[string]health.Reason {
	known := map[string]health.Reason{"": ""}
	for _, r := range slices.Concat(health.Reasons(), kindReasons, []health.Reason{health.ReasonNoResult}) {
		known[string(r)] = r
	}
	return known
}

var errAnswer = errors.New("not the answer of a sidecar")

// parser reads answers, for any number of goroutines.
type parser struct{ reasons map[string]health.Reason }

func newParser() *parser { return &parser{knownReasons()} }

// parse reads the answer to GET /health, the `safe` or the `off` one, of this release of the
// sidecar or of another: what it does not know is ignored. Nothing is believed but what is
// within the closed sets: a reason that is not known becomes [ReasonOther]; a name, status or
// number of services that no sidecar has makes the answer unusable.
func (p *parser) parse(body []byte) ([]ServiceAnswer, error) {
	if !json.Valid(body) {
		return nil, errAnswer
	}
	var services []ServiceAnswer
	var details []detail
	s := &scanner{text: body}
	ok := s.object(func(key string) (ok bool) {
		switch key {
		case "services":
			services, ok = readStatuses(s)
		case "details":
			details, ok = readDetails(s)
		default:
			s.skip()
			ok = true
		}
		return ok
	})
	switch {
	case !ok:
		return nil, errAnswer
	case services == nil:
		return nil, fmt.Errorf("%w: it has no services", errAnswer)
	}
	for i := range details {
		d := &details[i]
		at := slices.IndexFunc(services, func(a ServiceAnswer) bool { return a.Name == d.name })
		if at < 0 {
			continue
		}
		service := &services[at]
		service.Since, service.Reason = time.Time{}, ""
		if since, err := time.Parse(time.RFC3339, d.since); err == nil {
			service.Since = since.UTC()
		}
		if service.Status < health.Degraded {
			continue
		}
		reason, known := p.reasons[d.reason]
		if !known {
			reason = ReasonOther
		}
		service.Reason = reason
	}
	return services, nil
}

// readStatuses reads the object that has the status of each service, in its order.
func readStatuses(s *scanner) ([]ServiceAnswer, bool) {
	all := make([]ServiceAnswer, 0, 4)
	ok := s.object(func(name string) bool {
		text, isText := s.string()
		status, known := parseStatus(text)
		twice := slices.ContainsFunc(all, func(a ServiceAnswer) bool { return a.Name == name })
		all = append(all, ServiceAnswer{Name: name, Status: status})
		return isText && known && !twice && isServiceName(name) && len(all) <= maxServices
	})
	return all, ok
}

// detail is what is used of the details of a service.
type detail struct{ name, reason, since string }

func readDetails(s *scanner) ([]detail, bool) {
	var all []detail
	ok := s.null() || s.object(func(name string) bool {
		d := detail{name: name}
		ok := s.null() || s.object(func(key string) (ok bool) {
			switch key {
			case "reason":
				d.reason, ok = s.textOrNull()
			case "since":
				d.since, ok = s.textOrNull()
			default:
				s.skip()
				ok = true
			}
			return ok
		})
		all = append(all, d)
		return ok
	})
	return all, ok
}

func parseStatus(text string) (health.Status, bool) {
	for _, s := range health.Statuses() {
		if s.String() == text {
			return s, true
		}
	}
	return health.Unknown, false
}

// isServiceName reports whether a service of a sidecar can have the name: at most 32 small
// letters, digits and hyphens, a letter first, no hyphen last.
func isServiceName(name string) bool {
	if name == "" || len(name) > 32 || name[0] < 'a' || name[0] > 'z' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

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
